# What a terminal of `lab desk` has in zsh after the user's own settings: what the work at hand needs.
export PATH=$LAB_DESK_PROGRAMS:$PATH KUBECONFIG=$LAB_DESK_KUBECONFIG
unset LAB_DESK_PROGRAMS LAB_DESK_KUBECONFIG

alias k=kubectl

# Completion is loaded when it is asked for first.
_desk_kubectl() {
  eval "$(kubectl completion zsh)"
  compdef k=kubectl
  _kubectl "$@"
}
_desk_lab() {
  eval "$(_LAB_COMPLETE=zsh_source lab)"
  _lab_completion "$@"
}
compdef _desk_kubectl kubectl k
compdef _desk_lab lab
