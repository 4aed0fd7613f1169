//! Documents people write: trees and what is done to them (patch, path, print).
