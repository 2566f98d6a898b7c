// SPDX-License-Identifier: Apache-2.0
#include "config/bench_options.hpp"

namespace forkfleet::config {

namespace {

option results_option() {
  return {.name = "results",
          .kind = value_kind::text,
          .placeholder = "DIR",
          .doc = "Where the report, the plot and all figures go; made from "
                 "the benchmark's name when left out."};
}

option limit_option(const char* initial) {
  return {.name = "limit",
          .kind = value_kind::duration,
          .doc = "No further step is begun after this time.",
          .initial = initial,
          .min = 1000};
}

option number_option(std::string name, std::string doc, std::string initial,
                     uint64_t max) {
  return {.name = std::move(name),
          .kind = value_kind::number,
          .doc = std::move(doc),
          .initial = std::move(initial),
          .max = max};
}

verb_entry chain_verb() {
  return {
    .path = "chain",
    .summary = "Compare write paths of chains of BRANCHes on a slow disk.",
    .options =
      {{.name = "fs",
        .kind = value_kind::choice,
        .doc = "The file system on the throttled device.",
        .initial = "ext4",
        .choices = {"ext4", "xfs", "btrfs"}},
       {.name = "image",
        .kind = value_kind::bytes,
        .doc = "The guest's memory.",
        .initial = "512MiB"},
       {.name = "diff",
        .kind = value_kind::text,
        .placeholder = "SIZE",
        .doc = "What the guest dirties between BRANCHes; may be given again. "
               "Else 1MiB, 30MiB and 300MiB.",
        .repeatable = true},
       {.name = "arm",
        .kind = value_kind::choice,
        .doc = "A write path; may be given again. Else all.",
        .choices = {"before", "fallocate-kept", "seed-as-coded", "ours-full",
                    "ours-reflink", "ours-diff", "tmpfs-control"},
        .repeatable = true},
       number_option("branches", "BRANCHes of a chain.", "10", 1000),
       number_option("large-branches", "The same for diffs above 16 MiB.", "5",
                     1000),
       number_option("rounds",
                     "Rounds of the first diff size; the others "
                     "have one.",
                     "3", 100),
       number_option("long",
                     "BRANCHes of the long chains of ours-diff and "
                     "tmpfs-control; 0: none.",
                     "100", 10000),
       {.name = "gap",
        .kind = value_kind::duration,
        .doc = "Between two BRANCHes.",
        .initial = "1s"},
       {.name = "long-gap",
        .kind = value_kind::duration,
        .doc = "The same in the long chains.",
        .initial = "300ms"},
       number_option("bandwidth", "Of the device, in MB/s.", "150", 100000),
       number_option("tolerance",
                     "By how many percent the device may miss its bandwidth.",
                     "5", 50),
       limit_option("20min"),
       results_option()},
    .examples = {"sudo forkfleet bench chain",
                 "sudo forkfleet bench chain --fs xfs --rounds 1"},
    .details =
      "Makes loop devices over memory, limits the lower one with the control "
      "groups' block controller, sets vm.dirty_background_bytes, and puts "
      "all of that back however it ends. Needs root and about 14 GiB of "
      "memory."};
}

option memory_option() {
  return {.name = "memory",
          .kind = value_kind::text,
          .placeholder = "SIZE",
          .doc = "Guest memory; may be given again.",
          .repeatable = true};
}

option rate_option(std::string doc) {
  return {.name = "rate",
          .kind = value_kind::text,
          .placeholder = "MIB",
          .doc = std::move(doc),
          .repeatable = true};
}

std::vector<option> guest_options() {
  return {{.name = "guest",
           .kind = value_kind::text,
           .placeholder = "DIR",
           .doc = "Where the example guest's vmlinuz and initrd.img are.",
           .initial = "build/guest"},
          {.name = "directory",
           .kind = value_kind::text,
           .placeholder = "DIR",
           .doc = "Where VMs and snapshots lie meanwhile.",
           .initial = "/var/tmp"}};
}

verb_entry pause_verb() {
  auto result = verb_entry{
    .path = "pause",
    .summary = "Measure the pause of real QEMU guests, and check every "
               "snapshot.",
    .options =
      {memory_option(),
       rate_option("MiB that the guest dirties each second; may be given "
                   "again. 0: an idle guest."),
       {.name = "method",
        .kind = value_kind::choice,
        .doc = "A way to capture; may be given again. Else all.",
        .choices = {"diff", "full", "live", "stopped", "attached"},
        .repeatable = true},
       number_option("captures", "By each method, for each VM.", "5", 1000),
       number_option("check",
                     "At least so many snapshots are restored and checked, "
                     "by more captures if need be.",
                     "200", 100000),
       limit_option("20min"),
       results_option()},
    .examples = {"forkfleet bench pause",
                 "forkfleet bench pause --memory 256MiB --rate 100"}};
  for (auto& x : guest_options())
    result.options.push_back(std::move(x));
  return result;
}

verb_entry floor_verb() {
  auto result = verb_entry{
    .path = "floor",
    .summary = "Compare a BRANCH's pause with the same done by hand over QMP.",
    .options = {memory_option(),
                rate_option("MiB that the guest dirties each second."),
                number_option("captures", "By each way.", "15", 1000),
                limit_option("20min"), results_option()},
    .examples = {"forkfleet bench floor --memory 256MiB"}};
  for (auto& x : guest_options())
    result.options.push_back(std::move(x));
  return result;
}

verb_entry soak_verb() {
  auto result = verb_entry{
    .path = "soak",
    .summary = "Branch guests that make it hard, by every method, and check "
               "every snapshot.",
    .options = {{.name = "memory",
                 .kind = value_kind::bytes,
                 .doc = "The guests' memory.",
                 .initial = "192MiB"},
                number_option("rate", "MiB that a guest dirties each second.",
                              "40", 4096),
                number_option("check",
                              "So many snapshots are restored and checked.",
                              "300", 100000),
                limit_option("40min"),
                results_option()},
    .examples = {"forkfleet bench soak",
                 "forkfleet bench soak --check 50 --limit 10min"},
    .details = "The guests have two processors, read a disk past all page "
               "caches, and zero, free and exchange pages; some share their "
               "memory. Snapshots that are wrong on purpose must be found "
               "out."};
  for (auto& x : guest_options())
    result.options.push_back(std::move(x));
  return result;
}

verb_entry fork_verb() {
  auto result = verb_entry{
    .path = "fork",
    .summary = "Measure children by the dozen of one snapshot: time, memory, "
               "identity, and that nothing is left of them.",
    .options = {{.name = "memory",
                 .kind = value_kind::bytes,
                 .doc = "The guests' memory.",
                 .initial = "256MiB"},
                number_option("simulated",
                              "Children of a simulated guest; 0: none.", "100",
                              5000),
                number_option("vms",
                              "Children of a QEMU guest, which all run at "
                              "once; 0: none.",
                              "24", 1000),
                {.name = "in-flight",
                 .kind = value_kind::number,
                 .doc = "Children that are started at once.",
                 .initial = "4",
                 .min = 1,
                 .max = 64},
                number_option("cycles",
                              "How often a small child is started and killed; "
                              "0: never.",
                              "1000", 1000000),
                {.name = "cycle-memory",
                 .kind = value_kind::bytes,
                 .doc = "The memory of that child.",
                 .initial = "96MiB"},
                limit_option("30min"),
                results_option()},
    .examples = {"forkfleet bench fork",
                 "forkfleet bench fork --vms 60 --cycles 0"}};
  for (auto& x : guest_options())
    result.options.push_back(std::move(x));
  return result;
}

} // namespace

const command_line& bench_command_line() {
  static const command_line program{
    .name = "forkfleet-bench",
    .summary = "Measures forkfleet's snapshot engine on this machine.",
    .version = FORKFLEET_VERSION,
    .verbs = {chain_verb(), pause_verb(), floor_verb(), soak_verb(),
              fork_verb()}};
  return program;
}

std::vector<std::string> words_of(const invocation& given,
                                  const std::string& verb) {
  std::vector<std::string> words{verb};
  for (const auto& option : given.verb->options) {
    if (!given.has(option.name))
      continue;
    for (const auto& value : given.texts(option.name)) {
      words.push_back("--" + option.name);
      if (option.kind != value_kind::flag)
        words.push_back(value);
    }
  }
  return words;
}

} // namespace forkfleet::config
