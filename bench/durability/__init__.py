"""What a 2xx is worth: under kills, power cuts, lost databases and a strict vendor. See docs/durability.md."""
