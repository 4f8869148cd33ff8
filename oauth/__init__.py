"""OAuth, from the consent page to the Authorization header. The store and the admin's guard are passed in."""
