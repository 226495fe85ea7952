# Completion of haven(8) for bash. The command itself knows what may stand where (haven --complete), names of
# groups and nodes included, so that this file never falls behind.
_haven()
{
        local -a socket=() words
        local i=1

        # what stands before the command
        while [[ $i -lt $COMP_CWORD && ${COMP_WORDS[i]} == -* ]]; do
                if [[ ${COMP_WORDS[i]} == -s || ${COMP_WORDS[i]} == --socket ]]; then
                        i=$((i + 1))
                        socket=(-s "${COMP_WORDS[i]}")
                fi
                i=$((i + 1))
        done
        if [[ $i -gt $COMP_CWORD ]]; then
                COMPREPLY=() # the socket itself: a file
                return
        fi
        if [[ $i -eq $COMP_CWORD && ${COMP_WORDS[i]} == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W '-s --socket --help --version' -- "${COMP_WORDS[i]}")
                return
        fi
        words=("${COMP_WORDS[@]:i:COMP_CWORD-i+1}")
        mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" "${socket[@]}" --complete "${words[@]}" 2>/dev/null)
}
complete -o default -F _haven haven
