# The python module in .replit brings Python and pip, and every package is a wheel: no system package is needed.
{ pkgs }: {
  deps = [ ];
}
