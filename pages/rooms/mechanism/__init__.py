"""What sets γ: spectra made up, and the bound with its proof."""
