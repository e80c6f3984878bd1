//! Plain implementations, composed of dfdx operations, for every device.
