use super::*;

#[test]
fn equal_texts_are_one_symbol_through_growth() {
    let mut symbols = Symbols::new();
    let texts: Vec<String> = (0..5_000).map(|number| format!("name-{number}")).collect();
    let made: Vec<Symbol> = texts.iter().map(|text| symbols.intern(text)).collect();
    for (text, symbol) in std::iter::zip(&texts, &made) {
        assert_eq!(symbols.intern(text), *symbol);
        assert_eq!(symbols.get(text), Some(*symbol));
        assert_eq!(symbols.text(*symbol), text);
    }
    assert_eq!(symbols.len(), 5_001);
    assert_eq!(symbols.get("absent"), None);
    assert_eq!(symbols.intern(""), Symbol::EMPTY);
    assert_eq!(symbols.text(Symbol::EMPTY), "");
}

#[test]
fn branches_intern_by_themselves() {
    let mut trunk = Symbols::new();
    let common = trunk.intern("common");
    let mut branch = trunk.clone();
    let mine = trunk.intern("trunk");
    let theirs = branch.intern("branch");
    // The same number, another text: why symbols never leave their world.
    assert_eq!(mine, theirs);
    assert_eq!((trunk.text(mine), branch.text(theirs)), ("trunk", "branch"));
    assert_eq!((trunk.get("branch"), branch.get("trunk")), (None, None));
    assert_eq!(
        (trunk.text(common), branch.text(common)),
        ("common", "common")
    );
}
