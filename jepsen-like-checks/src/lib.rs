//! placeholder
pub mod history;
pub mod linearizable;
pub mod model;
