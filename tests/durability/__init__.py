"""What a 2xx is worth under kills, power cuts, lost databases, a strict vendor: docs/durability.md."""
