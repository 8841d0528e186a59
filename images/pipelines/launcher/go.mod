module mlops-lab/launch

go 1.26.7
