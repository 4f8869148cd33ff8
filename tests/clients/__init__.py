"""What others use: the front ends of websites and the OAuth clients of other vendors."""
