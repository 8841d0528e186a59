"""What a build put into an image, package by package, read from the image itself and written as CycloneDX."""
