//! Plain data of the three dialects: no behaviour, no text, no storage.
