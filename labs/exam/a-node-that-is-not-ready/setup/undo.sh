bash "$MEND/worker.sh"
