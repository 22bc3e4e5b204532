"""Whether the shape of the noise matters."""
