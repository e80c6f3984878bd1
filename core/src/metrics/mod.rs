//! Rank correlation, disturbance and fairness.
