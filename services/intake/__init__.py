"""`POST /subscribe`, from the submission to the answer."""
