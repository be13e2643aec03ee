// Completion for bash: a few functions that walk along the command line, and the tables that they ask.

import type { Candidates } from './candidates';
import { type CompletedCommand, type CompletedLine, wanting } from './model';

/** A script to be read by bash. */
export function bashCompletion({ launch, verbs, machines }: CompletedCommand): string {
  const lines = [launch, ...verbs];
  return `# bash completion for tsnspawn, made by: tsnspawn completion bash
# to use it: source <(tsnspawn completion bash)

_tsnspawn_verbs='${verbs.map(({ name }) => name).join(' ')}'
_tsnspawn_machines='${machines.join(' ')}'

_tsnspawn_table() { # sets: names, those that want a value, whether a payload follows
  case $1 in
${lines.map((line) => `    ${line.name}) names='${names(line)}' wanting=' ${wanting(line).join(' ')} ' payload=${line.operands === 'payload' ? 1 : ''} ;;`).join('\n')}
  esac
}

_tsnspawn_value() { # table, option, what is there of its value
  case $1:$2 in
${lines.map(values).join('\n')}
  esac
}

_tsnspawn_operand() { # table, number, what is there of the word
  case $1:$2 in
${verbs.map(operands).join('\n')}
  esac
}
${RUNTIME}`;
}

/** Long names with a sign where a value has to follow. */
function names({ options }: CompletedLine): string {
  return options
    .flatMap((option) =>
      option.names.map((name) => (name.startsWith('--') && option.takes === 'required' ? `${name}=` : name)),
    )
    .join(' ');
}

/** Lines of a case statement: options with the same candidates share one. */
function values({ name: table, options }: CompletedLine): string {
  const byAction = new Map<string, string[]>();
  for (const option of options) {
    if (option.takes === 'nothing' || option.candidates.from === 'nothing') continue;
    const act = action(option.candidates);
    byAction.set(act, [...(byAction.get(act) ?? []), ...option.names.map((name) => `${table}:${name}`)]);
  }
  return [...byAction].map(([act, patterns]) => `    ${patterns.join(' | ')}) ${act} ;;`).join('\n');
}

function operands({ name, operands: list }: CompletedLine): string {
  if (list === 'payload') return `    ${name}:*) ;;`;
  return list.map((candidates, at) => `    ${name}:${at}) ${action(candidates)} ;;`).join('\n');
}

/** What fills COMPREPLY; $3 is the word. */
function action(candidates: Candidates): string {
  switch (candidates.from) {
    case 'nothing':
      return ':';
    case 'files':
    case 'namespaces':
      return '_tsnspawn_files f "$3"';
    case 'directories':
      return '_tsnspawn_files d "$3"';
    case 'machines':
      return '_tsnspawn_names "$3"';
    case 'users':
      return 'COMPREPLY+=($(compgen -u -- "$3"))';
    case 'groups':
      return 'COMPREPLY+=($(compgen -g -- "$3"))';
    case 'variables':
      return 'COMPREPLY+=($(compgen -e -- "$3"))';
    case 'interfaces':
      return '_tsnspawn_words "$(command ls /sys/class/net)" "$3"';
    case 'tree':
      return '_tsnspawn_in_tree "$3"';
    case 'binds':
      return `_tsnspawn_binds '${candidates.options.join(' ')}' "$3"`;
    case 'words':
      return `_tsnspawn_words '${candidates.words.join(' ')}' "$3"`;
    case 'prefixes':
      return `_tsnspawn_open '${candidates.words.join(' ')}' "$3"`;
    case 'list':
      return `_tsnspawn_list '${candidates.words.join(' ')}' "$3"`;
  }
}

const RUNTIME = `
_tsnspawn_words() { # words, what is there
  COMPREPLY+=($(compgen -W "$1" -- "$2"))
}

_tsnspawn_open() { # words that something follows, what is there
  _tsnspawn_words "$1" "$2"
  [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace 2>/dev/null
}

_tsnspawn_list() { # words, what is there, with commas
  local before= word
  [[ $2 == *,* ]] && before=\${2%,*},
  for word in $(compgen -W "$1" -- "\${2##*,}"); do COMPREPLY+=("$before$word"); done
}

_tsnspawn_files() { # f or d, what is there
  local path
  compopt -o filenames 2>/dev/null
  while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "-$1" -- "$2")
}

_tsnspawn_names() { # what is there of a machine's name
  local directory
  for directory in $_tsnspawn_machines; do
    [[ -d $directory ]] && COMPREPLY+=($(cd "$directory" && compgen -d -- "$1"))
  done
}

_tsnspawn_in_tree() { # what is there of a path of the tree that is started
  local path
  [[ -n $tree && $1 == /* ]] || return
  compopt -o nospace 2>/dev/null
  while IFS= read -r path; do
    if [[ -d $path ]]; then path+=/; else path+=' '; fi
    COMPREPLY+=("\${path#"\${tree%/}"}")
  done < <(compgen -f -- "\${tree%/}$1")
}

_tsnspawn_binds() { # options, what is there of SRC:DST:OPTIONS
  local before=
  case $2 in
    *:*:*)
      before=\${2%:*}:
      _tsnspawn_list "$1" "\${2##*:}"
      ;;
    *:*)
      before=\${2%%:*}:
      _tsnspawn_in_tree "\${2#*:}"
      ;;
    +*)
      before=+
      _tsnspawn_in_tree "\${2#+}"
      ;;
    *) _tsnspawn_files f "$2" ;;
  esac
  COMPREPLY=("\${COMPREPLY[@]/#/$before}")
}

_tsnspawn_option() { # word; sets: the option, its attached value. Of a cluster of letters it is the first that wants a value
  local letters=\${1#-}
  case $1 in
    --*=*) option=\${1%%=*} attached=\${1#*=} ;;
    --*) option=$1 attached= ;;
    *)
      while [[ -n $letters ]]; do
        option=-\${letters:0:1} letters=\${letters:1}
        [[ $wanting == *" $option "* ]] && break
      done
      attached=$letters
      ;;
  esac
}

_tsnspawn_line() { # table, index of its first word
  local table=$1 i=$2 names wanting payload operands=0 option attached value tree= ended=
  _tsnspawn_table "$table"
  for (( ; i < last; i++)); do
    case \${words[i]} in
      --)
        ended=1
        ((i++))
        break
        ;;
      -?*) ;;
      *)
        [[ -n $payload ]] && break
        ((operands++))
        continue
        ;;
    esac
    _tsnspawn_option "\${words[i]}"
    value=$attached
    if [[ -z $attached && \${words[i]} != *= && $wanting == *" $option "* ]]; then
      if ((++i == last)); then
        _tsnspawn_value "$table" "$option" "$cur"
        return
      fi
      value=\${words[i]}
    fi
    [[ $option == -D || $option == --directory ]] && tree=$value
  done
  if ((i < last)); then
    _tsnspawn_in_tree "$cur"
  elif [[ -z $ended && $cur == --*=* ]]; then
    _tsnspawn_value "$table" "\${cur%%=*}" "\${cur#*=}"
    COMPREPLY=("\${COMPREPLY[@]/#/\${cur%%=*}=}")
  elif [[ -z $ended && $cur == -* ]]; then
    _tsnspawn_open "$names" "$cur"
  elif [[ -z $payload ]]; then
    _tsnspawn_operand "$table" "$operands" "$cur"
  elif [[ $cur == /* ]]; then
    _tsnspawn_in_tree "$cur"
  elif [[ -n $tree ]]; then
    local directory
    for directory in usr/bin usr/sbin bin sbin; do
      [[ -d $tree/$directory && ! -L $tree/$directory ]] && COMPREPLY+=($(cd "$tree/$directory" && compgen -f -- "$cur"))
    done
  fi
}

_tsnspawn() {
  # bash has parted the words at = and : too
  local words=() cur last rest=$COMP_LINE i word lead
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $word ]]; then lead=\${rest%%"$word"*}; else lead=$rest; fi
    rest=\${rest#"$lead$word"}
    if ((i > 0)) && [[ -z $lead ]]; then words[\${#words[@]} - 1]+=$word; else words+=("$word"); fi
  done
  last=$((\${#words[@]} - 1))
  cur=\${words[last]}
  COMPREPLY=()
  if ((last > 1)) && [[ " $_tsnspawn_verbs " == *" \${words[1]} "* ]]; then
    _tsnspawn_line "\${words[1]}" 2
  else
    _tsnspawn_line launch 1
    ((last == 1)) && _tsnspawn_words "$_tsnspawn_verbs" "$cur"
  fi
  # and puts the answer in the place of what stands behind the last of them
  local tail=$cur sign
  for sign in = :; do [[ $COMP_WORDBREAKS == *$sign* ]] && tail=\${tail##*$sign}; done
  COMPREPLY=("\${COMPREPLY[@]#"\${cur%"$tail"}"}")
}

complete -F _tsnspawn tsnspawn
`;
