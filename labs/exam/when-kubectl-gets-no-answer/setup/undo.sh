bash "$MEND/control-plane.sh"
