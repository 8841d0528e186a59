"""One module per image (or family of images): how to build it from package registries only."""
