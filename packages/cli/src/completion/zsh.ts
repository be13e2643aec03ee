// Completion for zsh: specifications for _arguments, which knows how options are written.

import type { Candidates } from './candidates';
import type { CompletedCommand, CompletedLine, CompletedOption } from './model';

/** A function file for zsh's fpath, or a script to be read by it. */
export function zshCompletion({ launch, verbs, machines }: CompletedCommand): string {
  return `#compdef tsnspawn
# zsh completion for tsnspawn, made by: tsnspawn completion zsh
# to use it: tsnspawn completion zsh > a directory of $fpath/_tsnspawn

_tsnspawn_machines() {
  local -a names
  names=(${machines.map((path) => `${path}/*(N:t)`).join(' ')})
  compadd -a names
}

_tsnspawn_interfaces() {
  local -a names
  names=(/sys/class/net/*(N:t))
  compadd -a names
}

_tsnspawn_variables() {
  compadd -- \${(k)parameters[(R)*export*]}
}

# a path of the tree that is started
_tsnspawn_in_tree() {
  local tree=\${opt_args[-D]:-$opt_args[--directory]}
  if [[ -n $tree ]]; then _files -W $tree; else _message 'path in the container'; fi
}

_tsnspawn_binds() {
  if compset -P '*:'; then _tsnspawn_in_tree; else _files; fi
}

_tsnspawn_payload() {
  local tree=\${opt_args[-D]:-$opt_args[--directory]}
  if (( CURRENT == 1 )) && [[ -n $tree && $words[1] != */* ]]; then
    local -a programs
    programs=($tree/usr/{bin,sbin}/*(N:t))
    compadd -a programs
  else
    _tsnspawn_in_tree
  fi
}

${[launch, ...verbs].map(lineFunction).join('\n')}
_tsnspawn() {
  local curcontext=$curcontext state line
  local -A opt_args
  if (( CURRENT > 2 )) && (( $+functions[_tsnspawn_$words[2]] )) && [[ $words[2] == (${verbs.map(({ name }) => name).join('|')}) ]]; then
    local verb=$words[2]
    shift words
    (( CURRENT-- ))
    _tsnspawn_$verb
    return
  fi
  if (( CURRENT == 2 )); then
    local -a verbs
    verbs=(${verbs.map(({ name, help }) => single(`${name}:${help}`)).join(' ')})
    _describe -t verbs verb verbs
  fi
  _tsnspawn_launch
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _tsnspawn "$@"; else compdef _tsnspawn tsnspawn; fi
`;
}

function lineFunction({ name, options, operands }: CompletedLine): string {
  const rest =
    operands === 'payload'
      ? [single('*::: :_tsnspawn_payload')]
      : operands.map((candidates, at) => single(`${at + 1}: :${action(candidates)}`));
  const specs = [...options.map(specification), ...rest];
  return `_tsnspawn_${name}() {
  _arguments -s -S : \\
    ${specs.join(' \\\n    ')}
}
`;
}

/** `'(-D --directory)'{-D+,--directory=}'[tree to start]:DIR:_files -/'` */
function specification({ names, takes, help, metavar, candidates, many }: CompletedOption): string {
  const forms = names.map((name) => {
    if (takes === 'nothing') return name;
    if (takes === 'optional') return `${name}=-`;
    return name.startsWith('--') ? `${name}=` : `${name}+`;
  });
  const excluded = many ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
  const value =
    takes === 'nothing'
      ? ''
      : `${takes === 'optional' ? '::' : ':'}${escaped(metavar || 'VALUE')}:${action(candidates)}`;
  const tail = single(`[${escaped(help)}]${value}`);
  if (forms.length === 1) return `${single(`${excluded}${forms[0]}`).slice(0, -1)}${tail.slice(1)}`;
  return `${excluded === '' ? '' : single(excluded)}{${forms.join(',')}}${tail}`;
}

function action(candidates: Candidates): string {
  switch (candidates.from) {
    case 'nothing':
      return ' ';
    case 'files':
      return '_files';
    case 'directories':
      return '_files -/';
    case 'machines':
      return '_tsnspawn_machines';
    case 'users':
      return '_users';
    case 'groups':
      return '_groups';
    case 'interfaces':
      return '_tsnspawn_interfaces';
    case 'namespaces':
      return '_files -W /run/netns';
    case 'variables':
      return '_tsnspawn_variables';
    case 'tree':
      return '_tsnspawn_in_tree';
    case 'binds':
      return '_tsnspawn_binds';
    case 'words':
      return `(${candidates.words.join(' ')})`;
    case 'prefixes':
      return `{compadd -S "" -- ${candidates.words.map(escaped).join(' ')}}`;
    case 'list':
      return `{_sequence compadd - ${candidates.words.join(' ')}}`;
  }
}

/** What would end a part of a specification. */
function escaped(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&');
}

function single(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
