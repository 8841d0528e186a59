helm rollback @{old} --wait --timeout 60s
cat > values.txt <<VALUES
replicas: @{first}
message: "@{message}"
VALUES
helm upgrade --install @{new} ./chart --values values.txt --wait --timeout 60s
sed -i 's/^replicas: .*/replicas: @{then}/' values.txt
helm upgrade --install @{new} ./chart --values values.txt
