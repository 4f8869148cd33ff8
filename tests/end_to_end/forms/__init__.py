"""Forms in a real browser: fields, captchas, protection."""
