"""What tests stand on: real servers, real files, builders of data."""
