//! Words every layer uses; knows no domain.
