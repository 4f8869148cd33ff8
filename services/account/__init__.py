"""What the connected account has, cached: lists, custom fields, tags, and who opted out."""
