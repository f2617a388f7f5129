"""What tests share, and tests of the whole. All others lie beside what they test."""
