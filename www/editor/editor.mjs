// The page's text editor: CodeMirror 6 behind a handful of functions that Rust calls.
//
// Offsets are UTF-16 code units, as in JavaScript strings. Every state of the text has a revision
// number; what is said about an older revision is dropped. Colours are the page's CSS variables, so
// a change of theme needs nothing here.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentLess, indentMore, redo, undo } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Annotation, ChangeSet, Compartment, EditorState, StateEffect, StateField, Text, Transaction } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, hoverTooltip, keymap, lineNumbers, showTooltip } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { markdown } from "./markdown.mjs";
import { CHINESE } from "./phrases.mjs";

const TYPING_PAUSE_MS = 150;

// Shortest pause after which what is being typed is looked at, before it counts.
const LOOK_PAUSE_MS = 40;

const BREAK = Text.of(["", ""]);

// Marks a change that the page itself made: it is not reported back.
const fromPage = Annotation.define();

// The name whose lines are lit; they move along with the text.
const setLit = StateEffect.define();
const lit = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects) if (effect.is(setLit)) return litLines(transaction.state.doc, effect.value);
    return marks.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

const colours = syntaxHighlighting(
  HighlightStyle.define([
    { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--syntax-key, var(--accent))" },
    { tag: [tags.string, tags.content], color: "var(--syntax-string, var(--text))" },
    { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--syntax-literal, var(--text))", fontWeight: "600" },
    { tag: [tags.comment, tags.lineComment], color: "var(--muted)", fontStyle: "italic" },
    { tag: [tags.heading, tags.strong], fontWeight: "700" },
    { tag: [tags.monospace, tags.link], color: "var(--syntax-literal, var(--text))" },
    { tag: [tags.meta, tags.separator, tags.punctuation, tags.labelName, tags.typeName], color: "var(--muted)" },
  ]),
);

const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--surface)", height: "100%", fontSize: "var(--small)" },
  "&.cm-focused": { outline: "3px solid var(--focus)", outlineOffset: "-3px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { color: "var(--muted)", backgroundColor: "var(--surface)", borderRight: "1px solid var(--border)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-lit": { boxShadow: "inset 3px 0 var(--accent)", backgroundColor: "color-mix(in srgb, var(--accent) 16%, transparent)" },
  ".cm-panels, .cm-tooltip": { color: "var(--text)", backgroundColor: "var(--surface)", borderColor: "var(--border)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { color: "var(--surface)", background: "var(--accent)" },
  // Chinese has no italics.
  ".cm-completionDetail": { fontStyle: "normal", color: "var(--muted)" },
  ".cm-tooltip-autocomplete ul li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-diagnostic-code": { fontFamily: "var(--mono)", color: "var(--muted)" },
  ".cm-diagnostic-help, .cm-hover-title": { color: "var(--muted)" },
  ".cm-hover-text, .cm-number": { padding: "2px 8px", maxWidth: "min(480px, 90vw)" },
  ".cm-number": { display: "flex", gap: "8px", alignItems: "center" },
});

// Builds an editor in `element` and returns its handle. Options, all but `doc` optional:
//   doc         the first text, revision 1
//   label       accessible name; describedBy: id of the element with the keyboard hint
//   readOnly    the text can be read and copied only
//   onChange    (revision, text), once typing pauses
//   complete    async (text, offset) -> null | { from, options: [{ label, said, apply }] }
//   hover       async (text, offset) -> null | { from, to, lines: [said] }
//   check       async (text) -> null | what setDiagnostics takes
//   markdown    whether the text is Markdown with YAML in it
//   fixLabel    word for the button that mends a problem
//   meaning     heading of what `hover` tells
//   number      name of the slider of a number, before the field's own
// What is said is { text, lang }, with `lang` where it is not in the page's language; null: nothing.
export function mount(element, options) {
  let revision = 1;
  let pause = 0;
  let look = 0;
  let lookTook = 0;
  let tabIndents = false;
  let { fixLabel = "Fix", meaning = "", number = "" } = options;
  const words = new Compartment();
  const readOnly = new Compartment();

  const report = () => {
    clearTimeout(pause);
    clearTimeout(look);
    pause = 0;
    lookTook /= 2;
    known = view.state.doc;
    options.onChange?.(revision, view.state.doc.toString());
  };
  // What is wrong is shown before typing pauses.
  const lookAt = async () => {
    const [asked, begun] = [revision, performance.now()];
    const found = await options.check(view.state.doc.toString(), 0);
    lookTook = performance.now() - begun;
    if (found && asked === revision) show(found);
  };
  const changed = EditorView.updateListener.of((update) => {
    if (!update.docChanged) return;
    revision += 1;
    if (update.transactions.every((transaction) => transaction.annotation(fromPage))) return;
    tabIndents = true;
    clearTimeout(pause);
    pause = setTimeout(report, TYPING_PAUSE_MS);
    clearTimeout(look);
    // A look that lasts longer would hold up the edit behind it.
    if (options.check && LOOK_PAUSE_MS + lookTook <= TYPING_PAUSE_MS) look = setTimeout(lookAt, LOOK_PAUSE_MS);
  });
  // Tab walks on through the page until somebody works in the text, by click or by typing; Escape
  // gives it back to the page.
  const tab = keymap.of([
    { key: "Tab", run: (view) => tabIndents && indentMore(view), shift: (view) => tabIndents && indentLess(view) },
    { key: "Escape", run: () => ((tabIndents = false), false) },
    { key: "Mod-Enter", run: () => (report(), true) },
  ]);
  const tabByFocus = EditorView.domEventHandlers({
    mousedown: () => ((tabIndents = true), false),
    blur: () => {
      tabIndents = false;
      // Whoever does something elsewhere does it with the text as it stands.
      if (pause) report();
      return false;
    },
  });
  // What the editor says is in the page's language.
  const said = (label, lang = "en") => {
    const attributes = { "aria-label": label, spellcheck: "false" };
    if (options.describedBy) attributes["aria-describedby"] = options.describedBy;
    return [EditorView.contentAttributes.of(attributes), EditorState.phrases.of(lang.startsWith("zh") ? CHINESE : {})];
  };

  const view = new EditorView({
    parent: element,
    state: EditorState.create({
      doc: options.doc,
      extensions: [
        tab, tabByFocus, changed, lit, theme, colours, options.markdown ? markdown() : yaml(), indentUnit.of("  "), EditorState.tabSize.of(2),
        lineNumbers(), highlightActiveLineGutter(), highlightActiveLine(), highlightSpecialChars(),
        drawSelection(), history(), foldGutter(), lintGutter(), indentOnInput(), bracketMatching(),
        closeBrackets(), highlightSelectionMatches(), EditorView.lineWrapping,
        autocompletion({ ...(options.complete ? { override: [(context) => completions(context)] } : {}), addToOptions: [{ render: detailElement, position: 80 }] }),
        numbers(() => number),
        options.hover ? [hoverTooltip((view, offset) => explanation(offset)), restingPointer()] : [],
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap]),
        words.of(said(options.label ?? "YAML")),
        readOnly.of(EditorState.readOnly.of(options.readOnly ?? false)),
      ],
    }),
  });
  // The text as the page knows it: what is being typed is not part of it yet.
  let known = view.state.doc;
  // Makes of the shown text what `change` makes of `from`. Returns the revision.
  const take = (change) => {
    if (change) view.dispatch({ changes: change, annotations: [fromPage.of(true), Transaction.addToHistory.of(true)] });
    return revision;
  };

  const show = (found) => {
    const length = view.state.doc.length;
    const shown = found.map(({ from, to, severity, code, message, help, fix }) => ({
      from: Math.min(from, length),
      to: Math.min(Math.max(to, from), length),
      severity,
      message: [code, message.text, help?.text].filter(Boolean).join(" "),
      renderMessage: () => diagnosticElement(SIGNS[severity], code, message, help),
      actions: fix ? [{ name: fixLabel, apply: (view) => mend(view, fix) }] : [],
    }));
    view.dispatch(setDiagnostics(view.state, shown));
  };

  // Lines that name what is pointed at elsewhere on the page: the root element says its name.
  const root = document.documentElement;
  const light = () => view.dispatch({ effects: setLit.of(root.dataset.lit ?? "") });
  const watcher = new MutationObserver(light);
  watcher.observe(root, { attributes: true, attributeFilter: ["data-lit"] });

  // What is found in the text takes height from the editor: the line being written stays in sight.
  const sizes = new ResizeObserver(() => {
    if (view.hasFocus) view.dispatch({ effects: EditorView.scrollIntoView(view.state.selection.main.head) });
  });
  sizes.observe(view.dom);

  // A region that scrolls can be reached and scrolled by keyboard.
  view.scrollDOM.tabIndex = 0;

  async function completions(context) {
    // Words are offered where one is being typed, or when they are asked for.
    if (!context.explicit && !context.matchBefore(/[\w.\/-]+/)) return null;
    const asked = revision;
    const answer = await options.complete(view.state.doc.toString(), context.pos);
    if (asked !== revision || !answer) return null;
    return { ...answer, validFor: /^[\w.\/-]*$/ };
  }

  async function explanation(offset) {
    const asked = revision;
    const answer = await options.hover(view.state.doc.toString(), offset);
    if (!answer || asked !== revision) return null;
    const create = () => {
      const dom = textElement("div", "cm-hover-text", "");
      if (meaning) dom.append(textElement("div", "cm-hover-title", meaning));
      dom.append(...answer.lines.map((line) => saidElement("div", "", line)));
      return { dom };
    };
    return { pos: answer.from, end: answer.to, create };
  }

  return {
    // The text and its revision, as of now.
    text: () => view.state.doc.toString(),
    revision: () => revision,
    // Replaces the text, with what is being typed, without reporting a change; undo brings the old one
    // back. Returns the revision.
    setDoc(text) {
      clearTimeout(pause);
      clearTimeout(look);
      pause = 0;
      known = view.state.toText(text);
      return take(difference(view.state.doc, known));
    },
    // Brings what the page changed in the text into it, beside what is being typed: that is reported
    // as ever, once typing pauses. Returns the revision.
    mergeDoc(text) {
      const given = view.state.toText(text);
      const change = difference(known, given);
      const merged = change && besides(change, given, known, view.state.doc);
      known = given;
      return take(merged);
    },
    // Shows what was found in revision `of`; entries are { from, to, severity, code, message, help }
    // with severity error, warning or info, and both texts as they are said. Returns false when the text has moved on since.
    setDiagnostics(of, found) {
      if (of !== revision) return false;
      show(found);
      return true;
    },
    // Moves the cursor to `offset` and shows it: "go to the problem".
    reveal(offset) {
      const anchor = Math.min(offset, view.state.doc.length);
      view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
      view.focus();
    },
    // Another language: names and headings are the page's.
    setWords(label, fix, lang, told, slider) {
      [fixLabel, meaning, number] = [fix, told, slider];
      view.dispatch({ effects: words.reconfigure(said(label, lang)) });
    },
    setReadOnly: (value) => view.dispatch({ effects: readOnly.reconfigure(EditorState.readOnly.of(value)) }),
    undo: () => undo(view),
    redo: () => redo(view),
    focus: () => view.focus(),
    destroy() {
      watcher.disconnect();
      sizes.disconnect();
      clearTimeout(pause);
      clearTimeout(look);
      view.destroy();
    },
  };
}

// CodeMirror asks what a word means by the element that the pointer moved over last, and gives up where
// that was drawn anew meanwhile, as a check or a lit name does. A pointer that rests is told of again.
function restingPointer() {
  let last = null;
  return [
    EditorView.domEventHandlers({
      mousemove: (event) => ((last = event), false),
      mouseleave: () => ((last = null), false),
    }),
    EditorView.updateListener.of(({ view }) => {
      if (!last || last.target.isConnected) return;
      const { clientX, clientY } = last;
      last = null;
      requestAnimationFrame(() => {
        const element = document.elementFromPoint(clientX, clientY);
        if (view.contentDOM.contains(element)) element.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX, clientY }));
      });
    }),
  ];
}

// What makes `to` of `from`, as one change: { from, to, insert }; null where they are equal.
function difference(from, to) {
  const [old, now] = [from.toString(), to.toString()];
  const least = Math.min(old.length, now.length);
  let start = 0;
  while (start < least && old[start] === now[start]) start += 1;
  if (start === old.length && start === now.length) return null;
  let end = 0;
  while (end < least - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  return { from: start, to: old.length - end, insert: to.slice(start, now.length - end) };
}

// The change that makes `given` of `known`, for a text that was made of `known` by typing: what is typed
// comes first. Whole lines stay whole lines, and what is being rewritten is the writer's: then, null.
function besides(change, given, known, typed) {
  const own = difference(known, typed);
  if (!own) return change;
  if (own.from < change.to && own.to > change.from) return null;
  const changes = ChangeSet.of(change, known.length).map(ChangeSet.of(own, known.length));
  const merged = [];
  changes.iterChanges((from, to, _from, _to, insert) => {
    const end = change.from + change.insert.length;
    const parts = [insert];
    if (insert.length && known.lineAt(change.from).from === change.from && typed.lineAt(from).from < from) parts.unshift(BREAK);
    if (insert.length && given.lineAt(end).to === end && to < typed.lineAt(to).to) parts.push(BREAK);
    merged.push({ from, to, insert: parts.reduce((text, part) => text.append(part)) });
  });
  return merged;
}

// Marks the lines that name a workload: `name: NAME` of a manifest, `NAME:` of a service.
function litLines(doc, name) {
  if (!name) return Decoration.none;
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const wanted = new RegExp(`^\\s*(?:- )?(?:name|app): *["']?${escaped}["']?\\s*$|^  ${escaped}:\\s*$`);
  const marks = [];
  for (let number = 1; number <= doc.lines; number += 1) {
    const line = doc.line(number);
    if (wanted.test(line.text)) marks.push(Decoration.line({ class: "cm-lit" }).range(line.from));
  }
  return Decoration.set(marks);
}

// An edit like one that was typed: it is reported and can be undone.
function mend(view, { from, to, text }) {
  const length = view.state.doc.length;
  view.dispatch({ changes: { from: Math.min(from, length), to: Math.min(to, length), insert: text }, userEvent: "input.fix" });
}

// As in the list of problems: a severity is not told by colour alone.
const SIGNS = { error: "✕", warning: "▲", info: "ⓘ" };

function diagnosticElement(sign, code, message, help) {
  const element = document.createElement("span");
  element.append(`${sign} `, textElement("span", "cm-diagnostic-code", code), " ", saidElement("span", "", message));
  if (help) element.append(saidElement("div", "cm-diagnostic-help", help));
  return element;
}

// What a word that is offered is.
const detailElement = ({ said }) => (said ? saidElement("span", "cm-completionDetail", said) : null);

// A number of YAML with the unit behind it: `  replicas: 3`, `- memory: "128Mi" # why`.
const NUMBER = /^\s*(?:- )?["']?([\w.\/-]+)["']?:\s+["']?(\d{1,9})(Ki|Mi|Gi|[mkKMGsh])?["']?\s*(?:#.*)?$/;

// A slider below the number that was clicked, or at which Alt-Enter was pressed; up to four times as
// much, and Escape goes back to the text.
function numbers(title) {
  const setNumber = StateEffect.define();
  const at = (state, pos) => {
    const line = state.doc.lineAt(pos);
    const found = NUMBER.exec(line.text);
    if (!found || state.readOnly) return null;
    const from = line.from + found[0].indexOf(found[2], found[0].indexOf(":"));
    const to = from + found[2].length;
    return pos < from || pos > to + (found[3]?.length ?? 0) ? null : { from, to, name: found[1], unit: found[3] ?? "", max: Math.max(10, 4 * Number(found[2])) };
  };
  const create = (number) => (view) => {
    const dom = textElement("label", "cm-number", `${title()} ${number.name} `.trimStart());
    const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: number.max, value: view.state.sliceDoc(number.from, number.to) });
    const shown = textElement("output", "", slider.value + number.unit);
    slider.addEventListener("input", () => {
      const { from, to } = view.state.field(field);
      shown.textContent = slider.value + number.unit;
      view.dispatch({ changes: { from, to, insert: slider.value }, userEvent: "input.number" });
    });
    slider.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      view.dispatch({ effects: setNumber.of(null) });
      view.focus();
    });
    dom.append(slider, shown);
    return { dom };
  };
  const field = StateField.define({
    create: () => null,
    update(number, transaction) {
      for (const effect of transaction.effects) if (effect.is(setNumber)) return effect.value && { ...effect.value, tooltip: { pos: effect.value.from, create: create(effect.value) } };
      if (!number || (transaction.docChanged && !transaction.isUserEvent("input.number"))) return null;
      if (transaction.selection) return null;
      return transaction.docChanged ? { ...number, to: transaction.changes.mapPos(number.to, 1) } : number;
    },
    provide: (field) => showTooltip.from(field, (number) => number?.tooltip ?? null),
  });
  const open = (view, focuses) => {
    const number = at(view.state, view.state.selection.main.head);
    if (number) view.dispatch({ effects: setNumber.of(number) });
    if (number && focuses) requestAnimationFrame(() => view.dom.querySelector(".cm-number input")?.focus());
    return Boolean(number);
  };
  return [
    field,
    keymap.of([{ key: "Alt-Enter", run: (view) => open(view, true) }, { key: "Escape", run: (view) => Boolean(view.state.field(field)) && (view.dispatch({ effects: setNumber.of(null) }), true) }]),
    EditorView.domEventHandlers({ click: (_event, view) => (view.state.selection.main.empty && open(view, false), false) }),
  ];
}

function saidElement(tag, className, { text, lang }) {
  const element = textElement(tag, className, text);
  if (lang) element.lang = lang;
  return element;
}

function textElement(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
