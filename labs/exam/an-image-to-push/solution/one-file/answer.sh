export DOCKER_BUILDKIT=0
image=localhost:5001/@{image}
docker build --network none --tag "$image:@{tag}" .
docker tag "$image:@{tag}" "$image:@{also}"
docker push "$image:@{tag}"
docker push "$image:@{also}"
kubectl delete pods --all --force --grace-period=0
