"""An answer against the certified value: losses, gradients, known conventions. Nobody is called here."""
