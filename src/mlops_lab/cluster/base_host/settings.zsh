# The base host's shell, after the user's own settings: what the exam has.
export PATH=$MLOPS_LAB_BASE/bin:$PATH KUBECONFIG=$MLOPS_LAB_KUBECONFIG
unalias ssh 2>/dev/null

eval "$(kubectl completion zsh)"
compdef k=kubectl
_mlops_lab_hosts() { compadd -- ${(f)"$(cut -d' ' -f1 "$MLOPS_LAB_BASE/hosts")"} }
compdef _mlops_lab_hosts ssh

_mlops_lab_place() {
  MLOPS_LAB_PLACE=
  if [[ -r $MLOPS_LAB_BASE/place ]]; then IFS= read -r MLOPS_LAB_PLACE <"$MLOPS_LAB_BASE/place"; fi
}
precmd_functions+=(_mlops_lab_place)
setopt prompt_subst
PROMPT='${MLOPS_LAB_PLACE:+[$MLOPS_LAB_PLACE] }%~%# '
