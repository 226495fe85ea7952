#include "cli/cli.h"

#include <stddef.h>
#include <string.h>

#define BIT(option) (1U << (option))

const struct command commands[] = {
        {"status", "", 0, 0, BIT(OPTION_JSON) | BIT(OPTION_LINKS), "the cluster at a glance",
         "Shows who leads, whether there is a quorum and what it promises, every node with its links and "
         "every\n"
         "group with its owner. What is not well says why, and names the command that cures it.\n"
         "\n"
         "  haven status             for people\n"
         "  haven status --links     which way each link works: who hears whom\n"
         "  haven status --json      for programs; the names of its members are stable\n",
         command_status},
        {"watch", "", 0, 0, 0, "the same, live",
         "Draws the status again whenever something changes. 'q' ends it. When its output is no terminal it\n"
         "prints one line for each change instead.\n"
         "\n"
         "  haven watch\n"
         "  haven watch | grep --line-buffered 'group web'\n",
         command_watch},
        {"events", "", 0, 0, BIT(OPTION_FOLLOW) | BIT(OPTION_JSON) | BIT(OPTION_COUNT),
         "what happened, when, and why",
         "Prints the last 20 events of this node, the oldest first.\n"
         "\n"
         "  haven events -n 100      the last hundred\n"
         "  haven events -f          and all that follow\n"
         "  haven events -f --json   one JSON object a line\n",
         command_events},
        {"explain", "GROUP", 1, 1, 0, "why a group is where it is, or nowhere",
         "Prints the reasoning by which the group was placed: each node, and what speaks for and against "
         "it.\n"
         "\n"
         "  haven explain web\n",
         command_explain},
        {"checks", "", 0, 0, BIT(OPTION_JSON) | BIT(OPTION_TRY), "every check, its state and how old that is",
         "Lists the checks of all groups as this node knows them, then every service of every host that is\n"
         "watched, and what was said about them. 'unknown' is a state of its own: nothing has been measured "
         "yet.\n"
         "\n"
         "  haven checks\n"
         "  haven checks --json\n"
         "  haven checks --try 'http { url = http://10.0.0.111/ }'   one look, now, without havend\n",
         command_checks},
        {"ack", "WHAT [TEXT]", 1, 2, 0, "say that somebody takes care of a failure",
         "WHAT is a watch, WATCH:SERVICE, WATCH:SERVICE@HOST or @HOST. Its failures are told no more until "
         "they\n"
         "are over; whoever was told of them is told that, and by whom.\n"
         "\n"
         "  haven ack web:http@10.1.0.11 \"new disk is on its way\"\n",
         command_ack},
        {"silence", "DURATION WHAT... [TEXT]", 2, 17, 0, "tell nobody of failures for a while",
         "For planned work: what fails meanwhile is told to nobody, and told when the time is over, if it "
         "still\n"
         "fails. A last word with a blank in it is the reason. 'haven enable WHAT' ends it.\n"
         "\n"
         "  haven silence 2h web db:sql \"moving the rack\"\n",
         command_silence},
        {"disable", "WHAT [TEXT]", 1, 2, 0, "tell nobody of failures, until enabled",
         "As 'haven silence', without an end.\n"
         "\n"
         "  haven disable @10.1.0.11\n",
         command_ack},
        {"enable", "WHAT", 1, 1, 0, "end 'haven disable', 'silence' and 'ack'",
         "Takes back what was said about just this.\n"
         "\n"
         "  haven enable @10.1.0.11\n",
         command_ack},
        {"lvs", "", 0, 0, BIT(OPTION_JSON), "the directors' tables: who serves, and why others do not",
         "Shows each virtual service of this node's directors, its servers with their weights, connections "
         "and\n"
         "checks, and where the kernel's table is not as it is wanted.\n"
         "\n"
         "  haven lvs                for people\n"
         "  haven lvs --json         for programs; the names of its members are stable\n",
         command_lvs},
        {"drain", "SERVER", 1, 1, 0, "give a real server no new connections",
         "The server's weight becomes 0 wherever it stands, in this node's directors: what it has begun it "
         "may\n"
         "end. 'haven lvs' shows the connections left.\n"
         "\n"
         "  haven drain 10.0.0.11         the machine\n"
         "  haven drain 10.0.0.11:80      one of its services\n"
         "  haven undrain 10.0.0.11       ends it\n",
         command_drain},
        {"undrain", "SERVER", 1, 1, 0, "give a drained server connections again",
         "Ends 'haven drain'.\n"
         "\n"
         "  haven undrain 10.0.0.11\n",
         command_drain},
        {"move", "GROUP [NODE]", 1, 2, BIT(OPTION_NO_WAIT), "move a group, to NODE or to the next best",
         "Moves the group, and those that go with it, with as little interruption as they allow, and waits "
         "until\n"
         "it is started there, or says why it will not be. The wish lasts until the next failure or until "
         "'haven\n"
         "clear GROUP'; it leaves no constraint behind.\n"
         "\n"
         "  haven move web           wherever it would go if its owner failed\n"
         "  haven move web beta\n",
         command_move},
        {"stop", "GROUP", 1, 1, 0, "stop a group everywhere, until started again",
         "Stops the group and keeps it stopped, over reboots too.\n"
         "\n"
         "  haven stop web\n"
         "  haven start web          lets it run again\n",
         command_group_order},
        {"start", "GROUP", 1, 1, 0, "let a stopped group run again",
         "Ends what 'haven stop' began: the group is started where it belongs.\n"
         "\n"
         "  haven start web\n",
         command_group_order},
        {"clear", "GROUP", 1, 1, 0, "forgive a group its failures and wishes",
         "Forgets on which nodes the group has failed and where 'haven move' wanted it, once the cause is\n"
         "mended. The group may then run on those nodes again.\n"
         "\n"
         "  haven clear web\n",
         command_group_order},
        {"standby", "NODE [for DURATION]", 1, 3, 0, "empty a node and keep it empty",
         "Moves all groups off the node; it stays a voter. With a duration it comes back by itself.\n"
         "\n"
         "  haven standby beta\n"
         "  haven standby beta for 2h\n"
         "  haven online beta        ends it\n",
         command_node_order},
        {"online", "NODE", 1, 1, 0, "let a standby node run groups again",
         "Ends 'haven standby'.\n"
         "\n"
         "  haven online beta\n",
         command_node_order},
        {"fence", "NODE", 1, 1, BIT(OPTION_YES), "power a node off, and make sure",
         "Has the leader switch off the node's power through its fence devices and waits until a status "
         "query\n"
         "says off. What the node held then starts elsewhere.\n"
         "\n"
         "  haven fence beta\n"
         "  haven fence beta --yes   without being asked\n",
         command_fence},
        {"confirm-off", "NODE", 1, 1, BIT(OPTION_YES), "say that a node is off, having looked",
         "For a node that is silent and that nothing can switch off: frees what it may have held, until it "
         "is\n"
         "heard again. If it is not off, data may be destroyed: pull its plug first. Who said so is on "
         "record.\n"
         "\n"
         "  haven confirm-off beta\n",
         command_confirm_off},
        {"maintenance", "on|off [DURATION] [TEXT]", 1, 3, 0, "hands off: touch nothing, on all nodes",
         "While maintenance is on, nothing is started, stopped or moved, whatever happens; the nodes keep\n"
         "watching. With a duration it ends by itself. The text is shown to everybody who asks for the "
         "status.\n"
         "\n"
         "  haven maintenance on 2h \"new kernel\"\n"
         "  haven maintenance off\n",
         command_maintenance},
        {"reload", "", 0, 0, BIT(OPTION_CONFIRM), "read the configuration again",
         "Checks the file as 'haven check' does, and takes it over only if it is good; what is equal goes "
         "on\n"
         "untouched. With --confirm the old one returns by itself unless 'haven confirm' comes in time.\n"
         "\n"
         "  haven check && haven reload\n"
         "  haven reload --confirm 60s\n",
         command_reload},
        {"confirm", "", 0, 0, 0, "keep what 'reload --confirm' took over",
         "Ends the time of trial that 'haven reload --confirm' began.\n"
         "\n"
         "  haven reload --confirm 60s\n"
         "  haven confirm\n",
         command_confirm},
        {"restart", "", 0, 0, 0, "run havend anew, with everything in its place",
         "Replaces this node's havend by the one that is installed now, or by itself. What it runs goes on, "
         "and\n"
         "nothing moves: so a cluster is upgraded, node by node. The new one is tried first; if it cannot go "
         "on\n"
         "from here, nothing is changed. ('systemctl restart' stops havend, which moves its groups first.)\n"
         "\n"
         "  haven restart\n",
         command_restart},
        {"check", "[FILE]", 0, 1, BIT(OPTION_PRINT), "is the configuration right?",
         "Reads FILE (" CLI_CONFIG
         ") and reports every mistake as FILE:LINE: what is wrong, and what would be\n"
         "right. Needs no daemon.\n"
         "\n"
         "  haven check new.conf\n"
         "  haven check --print new.conf   in full, with every default\n",
         command_check},
        {"prove", "[FILE]", 0, 1, BIT(OPTION_JSON), "where everything goes when nodes fail",
         "Plays every failure of one node, and of two one after the other, by the rules that havend places "
         "by:\n"
         "which node then runs each group, what that node carries, what would be stopped, and why. Exit "
         "status 1\n"
         "if the failure of a single node leaves a group without one. Needs no daemon.\n"
         "\n"
         "  haven prove new.conf\n"
         "  haven prove --json\n",
         command_prove},
        {"firewall", "[FILE]", 0, 1, BIT(OPTION_NODE) | BIT(OPTION_REMOVE),
         "an nftables ruleset for the heartbeat",
         "Prints rules that let only the cluster's nodes reach the heartbeat on this node's link addresses, "
         "and\n"
         "ping them. They live in a table of their own, 'inet haven', which is replaced as a whole; no "
         "other\n"
         "traffic is touched. Another table that drops this traffic must be opened by its owner. Needs no\n"
         "daemon.\n"
         "\n"
         "  haven firewall | nft -f -\n"
         "  haven firewall -n beta new.conf\n"
         "  haven firewall --remove | nft -f -\n",
         command_firewall},
        {"keygen", "[FILE]", 0, 1, 0, "make the cluster's key",
         "Writes a new random key to FILE (" CLI_KEY
         "), readable by root alone. A key that is there is never\n"
         "overwritten. Every node needs the same one. Needs no daemon.\n"
         "\n"
         "  haven keygen\n"
         "  scp -p /etc/haven/key beta:/etc/haven/key\n",
         command_keygen},
        {"init", "", 0, 0, BIT(OPTION_NODE) | BIT(OPTION_STATE_DIR) | BIT(OPTION_FORCE),
         "make this machine a node that may vote",
         "Creates the node's memory in the state directory. Once, before havend first starts: a node without "
         "it\n"
         "waits until the others have readmitted it, for it may have forgotten a promise. Needs no daemon.\n"
         "\n"
         "  haven init\n"
         "  haven init -n beta --state-dir /var/lib/haven\n",
         command_init},
        {"disk", "init|show|measure|clear DEVICE [NUMBER]", 2, 3,
         BIT(OPTION_CONFIG) | BIT(OPTION_FORCE) | BIT(OPTION_JSON) | BIT(OPTION_NODES),
         "prepare the disk arbiter's device, or look at it",
         "'init' makes DEVICE (a shared block device, or a file on a shared file system) the area of this\n"
         "cluster's disk arbiter: once, on one node. It refuses what is mounted, what looks like a file "
         "system\n"
         "or a partition table and the area of a cluster, and says what it found; --force destroys all but "
         "the\n"
         "first. 'show' prints what each node has written there. 'measure' writes and reads there as the "
         "arbiter does,\n"
         "beside it if need be, and says whether the configuration leaves the time for that. 'clear'\n"
         "takes back the poison pills that wait there for the node of that number. None needs a daemon.\n"
         "\n"
         "  haven disk init /dev/disk/by-id/wwn-0x5000c500a1b2c3d4 -c haven.conf\n"
         "  haven disk show /dev/disk/by-id/wwn-0x5000c500a1b2c3d4 --json\n",
         command_disk},
        {"help", "[COMMAND]", 0, 1, 0, "this list, or more on one command",
         "The same as --help.\n"
         "\n"
         "  haven help move\n",
         command_help},
        {NULL},
};

const struct command *command_find(const char *name)
{
        for (const struct command *c = commands; c->name; c++)
                if (strcmp(c->name, name) == 0)
                        return c;
        return NULL;
}
