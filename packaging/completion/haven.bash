# Completion of haven(8) for bash. The command itself knows what may stand where (haven --complete), names of
# groups, nodes, and what is watched included, so that this file never falls behind.
_haven()
{
        local -a socket=() words
        local i=1 line=${COMP_LINE:0:COMP_POINT} word

        # bash cuts words at the colon and the @ of what is watched, and offers stand for the last piece alone
        read -ra words <<<"$line"
        [[ $line == *[[:space:]] ]] && words+=("")
        word=${words[-1]}

        # what stands before the command
        while [[ $i -lt $((${#words[@]} - 1)) && ${words[i]} == -* ]]; do
                if [[ ${words[i]} == -s || ${words[i]} == --socket ]]; then
                        i=$((i + 1))
                        socket=(-s "${words[i]}")
                fi
                i=$((i + 1))
        done
        if [[ $i -ge ${#words[@]} ]]; then
                COMPREPLY=() # the socket itself: a file
                return
        fi
        if [[ $i -eq $((${#words[@]} - 1)) && $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W '-s --socket --help --version' -- "$word")
                return
        fi
        mapfile -t COMPREPLY < <("${words[0]}" "${socket[@]}" --complete "${words[@]:i}" 2>/dev/null)
        if [[ $word == *[:@]* && $COMP_WORDBREAKS == *[:@]* ]]; then
                COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[:@]}"}"}")
        fi
}
complete -o default -F _haven haven
