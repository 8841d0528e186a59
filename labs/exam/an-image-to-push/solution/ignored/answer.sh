export DOCKER_BUILDKIT=0
image=localhost:5001/@{image}
docker build --network none --tag "$image:@{tag}" --tag "$image:@{also}" .
docker push --all-tags "$image"
kubectl rollout restart deployment/@{app}
