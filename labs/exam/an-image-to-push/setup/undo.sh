# What was built and pushed goes, in the engine and in the registry; either may be away by now.
for tag in @{tag} @{also}; do
  docker image rm "localhost:5001/@{image}:$tag" >/dev/null 2>&1 || true
done
python3 - <<'EOF'
import urllib.request

URL = "http://127.0.0.1:5001/v2/@{image}/manifests/"
KINDS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "docker.distribution.manifest.v2", "docker.distribution.manifest.list.v2", "oci.image.manifest.v1",
        "oci.image.index.v1",
    )
)
for tag in ("@{tag}", "@{also}"):
    try:
        asked = urllib.request.Request(URL + tag, headers={"Accept": KINDS}, method="HEAD")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            digest = answer.headers["Docker-Content-Digest"]
        urllib.request.urlopen(urllib.request.Request(URL + digest, method="DELETE"), timeout=10).close()
    except OSError:
        pass
EOF
