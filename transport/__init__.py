"""HTTP out; knows nothing of ours."""
