//! Tests of the program as a user runs it.
#![expect(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests, not their helpers")]

mod bad_checkpoints;
mod bench;
#[cfg(unix)]
mod cluster;
mod cluster_changes;
mod compare;
mod damaged_runs;
mod darts;
mod data_errors;
mod data_files;
mod disk_cache;
mod export;
mod helper;
mod inspect;
mod interrupted;
mod layers;
mod many_seeds;
mod messages;
mod moved_data;
mod own_files;
mod packed;
mod plugins;
mod repeat;
mod replaced_files;
mod report;
mod report_trainings;
mod results;
mod resume;
mod retrain;
mod retrain_again;
mod sizes;
mod stops;
mod table;
mod tensorboard;
mod trained;
mod truth;
mod truth_files;
mod usage_errors;
mod wrong_directories;
