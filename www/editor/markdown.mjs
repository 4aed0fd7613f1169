// Scenarios as the editor shows them: Markdown, in whose blocks are YAML and console lines. A mode of a
// few lines, as a whole grammar of Markdown with YAML in it would be a fifth of the editor.

import { StreamLanguage } from "@codemirror/language";

const YAML = [
  [/^#.*/, "comment"],
  [/^"(?:[^"\\]|\\.)*"(?!:)|^'[^']*'(?!:)/, "string"],
  [/^["']?[\w.\/-]+["']?(?=:(?:\s|$))/, "propertyName"],
  [/^(?:\d[\w.]*|true|false|null|~)(?=[\s,}\]]|$)/, "number"],
  [/^---$/, "meta"],
  [/^(?:[\w.\/$]|-(?=[^\s-]))[^\s#,{}[\]]*/, "string"],
  [/^[-:,{}[\]|>&*]/, "punctuation"],
];

const PROSE = [
  [/^`[^`]+`/, "monospace"],
  [/^\*\*[^*]+\*\*/, "strong"],
  [/^\[[^\]]*\]\([^)]*\)/, "link"],
  [/^[^`*[]+/, null],
];

const FENCE = /^(`{3,}|~{3,})\s*([\w-]*)/;

export const markdown = () => StreamLanguage.define({
  name: "markdown",
  // The fence that ends the block, and the block's language; a front matter ends with its own dashes.
  startState: () => ({ fence: "", language: "", begun: false }),
  token(stream, state) {
    if (stream.sol()) {
      const first = !state.begun;
      state.begun = true;
      const fence = FENCE.exec(stream.string);
      if (state.fence ? stream.string.startsWith(state.fence) : fence || (first && stream.string === "---")) {
        [state.fence, state.language] = state.fence ? ["", ""] : fence ? [fence[1], fence[2]] : ["---", "yaml"];
        stream.skipToEnd();
        return "meta";
      }
      if (!state.fence && /^#{1,6}\s/.test(stream.string)) return stream.skipToEnd(), "heading";
    }
    if (stream.eatSpace()) return null;
    if (state.fence && !/^ya?ml$/.test(state.language)) {
      const comment = stream.match(/^#.*/);
      if (!comment) stream.skipToEnd();
      return comment ? "comment" : "string";
    }
    for (const [word, token] of state.fence ? YAML : PROSE) if (stream.match(word)) return token;
    stream.next();
    return null;
  },
});
