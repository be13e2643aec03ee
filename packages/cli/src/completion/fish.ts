// Completion for fish: one `complete` for each option, under the condition that the command line is still at options.

import type { Candidates } from './candidates';
import { type CompletedCommand, type CompletedLine, type CompletedOption, wanting } from './model';

/** A script to be read by fish. */
export function fishCompletion({ launch, verbs, machines }: CompletedCommand): string {
  const verbNames = verbs.map(({ name }) => name).join(' ');
  return `# fish completion for tsnspawn, made by: tsnspawn completion fish
# to use it: tsnspawn completion fish > ~/.config/fish/completions/tsnspawn.fish

set -g __tsnspawn_wanting ${wanting(launch).join(' ')}

# how many words of the payload there are; in a payload the options of the launch are none
function __tsnspawn_payload
    set -l words (commandline -opc)[2..]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*=*'
            case '--*'
                contains -- $words[1] $__tsnspawn_wanting; and set -e words[1]
            case '-?*'
                set -l last (string sub -s -1 -- $words[1])
                contains -- -$last $__tsnspawn_wanting; and set -e words[1]
            case '*'
                break
        end
        set -e words[1]
    end
    count $words >/dev/null
end

function __tsnspawn_verb # whether it is one of these
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv
end

function __tsnspawn_launches
    not __tsnspawn_verb ${verbNames}; and not __tsnspawn_payload
end

function __tsnspawn_tree
    set -l words (commandline -opc)
    for at in (seq (count $words))
        switch $words[$at]
            case -D --directory '-*D'
                echo $words[(math $at + 1)]
            case '--directory=*'
                string replace -- --directory= '' $words[$at]
        end
    end
end

function __tsnspawn_in_tree
    set -l tree (string trim -r -c / -- (__tsnspawn_tree)[-1])
    test -n "$tree"; or return
    for path in $tree(commandline -ct | string replace -r '^--[^=]*=' '')*
        test -d $path; and set path $path/
        string replace -- $tree '' $path
    end
end

function __tsnspawn_programs
    set -l tree (__tsnspawn_tree)[-1]
    test -n "$tree"; or return
    for directory in $tree/usr/bin $tree/usr/sbin
        test -d $directory; and command ls $directory
    end
end

function __tsnspawn_machines
    for directory in ${machines.join(' ')}
        test -d $directory; and command ls $directory
    end
end

function __tsnspawn_list # words between commas
    set -l before (commandline -ct | string replace -r '^--[^=]*=' '' | string match -r '.*,')
    for word in $argv
        echo $before$word
    end
end

complete -c tsnspawn -f
${verbs.map(({ name, help }) => `complete -c tsnspawn -n 'test (count (commandline -opc)) -eq 1' -a ${name} -d ${single(help)}`).join('\n')}
complete -c tsnspawn -n 'not __tsnspawn_verb ${verbNames}' -a '(__tsnspawn_in_tree)'
complete -c tsnspawn -n '__tsnspawn_launches' -a '(__tsnspawn_programs)'
${completions(launch, '__tsnspawn_launches')}
${verbs.map((verb) => `${completions(verb, `__tsnspawn_verb ${verb.name}`)}\n${operands(verb)}`).join('\n')}`;
}

function completions({ options }: CompletedLine, condition: string): string {
  return options.map((option) => `complete -c tsnspawn -n ${single(condition)} ${specification(option)}`).join('\n');
}

function operands({ name, operands: list }: CompletedLine): string {
  if (list === 'payload') return '';
  return list
    .map(action)
    .filter((act) => act !== '')
    .map((act) => `complete -c tsnspawn -n '__tsnspawn_verb ${name}' ${act}\n`)
    .join('');
}

function specification({ names, takes, help, candidates }: CompletedOption): string {
  const forms = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  // a value that may be left out is only ever attached: fish knows no more of it than that it follows =
  const value = takes === 'nothing' ? '' : ` ${takes === 'required' ? '-x ' : ''}${action(candidates)}`.trimEnd();
  return `${forms.join(' ')}${value} -d ${single(help)}`;
}

function action(candidates: Candidates): string {
  switch (candidates.from) {
    case 'nothing':
      return '';
    case 'files':
    case 'namespaces':
      return "-a '(__fish_complete_path (commandline -ct))'";
    case 'directories':
      return "-a '(__fish_complete_directories)'";
    case 'machines':
      return "-a '(__tsnspawn_machines)'";
    case 'users':
      return "-a '(__fish_complete_users)'";
    case 'groups':
      return "-a '(__fish_complete_groups)'";
    case 'interfaces':
      return "-a '(command ls /sys/class/net)'";
    case 'variables':
      return "-a '(set -nx)'";
    case 'tree':
      return "-a '(__tsnspawn_in_tree)'";
    case 'binds':
      return "-a '(__fish_complete_path (commandline -ct))'";
    case 'words':
    case 'prefixes':
      return `-a ${single(candidates.words.join(' '))}`;
    case 'list':
      return `-a ${single(`(__tsnspawn_list ${candidates.words.join(' ')})`)}`;
  }
}

function single(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
