/* SPDX-License-Identifier: MIT */
/* weir completion: a shell's part of completing. */

/*
 * What may follow is the program's to know (cli/complete.h); a shell only asks it with the words of
 * the line and shows the answer. Each line of that is a candidate and, behind a tab, what it is; a
 * line that begins with the tab asks for files or folders. A candidate that ends with / goes on.
 */

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"

/* Words that are quoted are completed without their quote, which bash keeps; all others are escaped
 * as a word needs it. Outside of a completion (a test) compopt fails, and is of no use. */
static const char bash_script[] =
    "# bash completion of weir. In ~/.bashrc: source <(weir completion bash)\n"
    "_weir() {\n"
    "    local program=${1/#\\~/$HOME} current=${COMP_WORDS[COMP_CWORD]} quote= line word\n"
    "    case $current in\n"
    "    [\\'\\\"]*) quote=${current:0:1} current=${current:1} ;;\n"
    "    esac\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        $'\\tfiles' | $'\\tdirs')\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            while IFS= read -r word; do\n"
    "                COMPREPLY+=(\"$word\")\n"
    "            done < <(if [[ $line == *dirs ]]; then compgen -d -- \"$current\"; else compgen "
    "-f -- "
    "\"$current\"; fi)\n"
    "            ;;\n"
    "        *)\n"
    "            word=${line%%$'\\t'*}\n"
    "            [[ $word == */ ]] && compopt -o nospace 2>/dev/null\n"
    "            [[ $quote ]] || printf -v word %q \"$word\"\n"
    "            COMPREPLY+=(\"$word\")\n"
    "            ;;\n"
    "        esac\n"
    "    done < <(\"$program\" --complete bash \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" \"$current\" "
    "2>/dev/null)\n"
    "}\n"
    "complete -F _weir weir\n";

static const char zsh_script[] =
    "#compdef weir\n"
    "# zsh completion of weir: a file _weir in a folder of $fpath, or, after compinit, in "
    "~/.zshrc:\n"
    "# source <(weir completion zsh)\n"
    "_weir() {\n"
    "    local line word\n"
    "    local -a ready open ready_shown open_shown\n"
    "    for line in \"${(@f)$(\"${(e)words[1]/#\\~/$HOME}\" --complete zsh "
    "\"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        word=${line%%$'\\t'*}\n"
    "        case $line in\n"
    "        '') ;;\n"
    "        $'\\tfiles') _files ;;\n"
    "        $'\\tdirs') _files -/ ;;\n"
    "        */ | */$'\\t'*)\n"
    "            if [[ $word == */ ]]; then\n"
    "                open+=(\"$word\") open_shown+=(\"${line/$'\\t'/  -- }\")\n"
    "            else\n"
    "                ready+=(\"$word\") ready_shown+=(\"${line/$'\\t'/  -- }\")\n"
    "            fi\n"
    "            ;;\n"
    "        *) ready+=(\"$word\") ready_shown+=(\"${line/$'\\t'/  -- }\") ;;\n"
    "        esac\n"
    "    done\n"
    "    (( $#ready )) && compadd -l -d ready_shown -a ready\n"
    "    (( $#open )) && compadd -l -S '' -d open_shown -a open\n"
    "    (( $#ready + $#open ))\n"
    "}\n"
    "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
    "    _weir \"$@\"\n"
    "else\n"
    "    compdef _weir weir\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion of weir. In ~/.config/fish/config.fish: weir completion fish | source\n"
    "function __weir_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l program (string replace -r '^~' $HOME -- $words[1])\n"
    "    set -e words[1]\n"
    "    set -l current (commandline -ct)\n"
    "    set -l plain (string unescape -- \"$current\"); and set current $plain\n"
    "    for line in ($program --complete fish $words \"$current\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case \\tfiles\n"
    "                __fish_complete_path \"$current\"\n"
    "            case \\tdirs\n"
    "                __fish_complete_directories \"$current\"\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c weir -f -a '(__weir_complete)'\n";

static const struct {
    const char *name, *script;
} shells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

static int completion_run(const weir_invocation *in)
{
    const char *names[sizeof shells / sizeof *shells];
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        names[i] = shells[i].name;
        if (!strcmp(shells[i].name, in->args[0])) {
            (void)fputs(shells[i].script, stdout);
            return WEIR_EXIT_OK;
        }
    }
    const char *near = weir_text_nearest(in->args[0], names, sizeof names / sizeof *names);
    return weir_command_usage(in, "'%s' is none of bash, zsh, fish%s%s%s", in->args[0],
                              near ? ". Did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static const weir_example completion_examples[] = {
    {"source <(weir completion bash)", "from here on, Tab completes in this shell"},
    {"weir completion zsh > ~/.zfunc/_weir", "for zsh, with ~/.zfunc in fpath"},
    {"weir completion fish > ~/.config/fish/completions/weir.fish", "for fish"},
    {0}};

const weir_command weir_command_completion = {
    .name = "completion",
    .summary = "print what a shell needs to complete weir's command lines",
    .arguments = "bash|zsh|fish",
    .args_min = 1,
    .args_max = 1,
    .examples = completion_examples,
    .text = "meson install and packages put these scripts where the shells look for them. They ask "
            "weir itself what may follow: commands, options, words, profiles, and the devices, "
            "tags and sinks of ./weir.yaml or of the file that -c names.",
    .run = completion_run,
};
