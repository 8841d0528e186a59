bash "$MEND/control-plane.sh"
@% if fault == "volume" %@
# Made by the kubelet for a volume of type FileOrCreate.
ssh exam-control-plane rm -rf /etc/kubernetes/@{word}.conf
@% endif %@
