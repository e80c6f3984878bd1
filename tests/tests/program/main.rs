//! The program as a user runs it.

mod data_errors;
mod helper;
mod inspect;
mod layers;
mod repeat;
mod results;
mod stops;
mod usage_errors;
