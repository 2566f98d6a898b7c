// SPDX-License-Identifier: Apache-2.0
// The program `forkfleet-bench`: measures the snapshot engine on this
// machine.
#include <cstdio>
#include <iostream>

#include "actors/descriptors.hpp"
#include "config/bench_options.hpp"
#include "node/bench/chain_report.hpp"
#include "node/bench/chain_run.hpp"
#include "node/bench/fork_run.hpp"
#include "node/bench/pause_run.hpp"
#include "node/bench/soak_run.hpp"

namespace {

using namespace forkfleet;
using namespace forkfleet::bench;

/// What was typed, for the report.
std::string command_text(int argc, char** argv) {
  std::string text = "forkfleet bench";
  for (int i = 1; i < argc; ++i)
    text += std::string{" "} + argv[i];
  return text;
}

int give_up(const failure& why) {
  std::cerr << "forkfleet-bench: " << to_string(why) << "\n"
            << remedy(why.code) << "\n";
  return 1;
}

expected<results_folder> folder_of(const config::invocation& given,
                                   const std::string& name) {
  const auto chosen = given.text("results");
  return results_folder::open(chosen.empty() ? "bench-results/" + name
                                             : chosen);
}

/// Tells how it came out: 1 when a target was missed.
int tell_targets(const std::vector<target>& targets,
                 const results_folder& folder) {
  std::cout << "\n"
            << plain_text(table_of(targets)) << "\n"
            << folder.path() << "/README.md\n";
  return missed(targets) == 0 ? 0 : 1;
}

int bench_chain(const config::invocation& given, conditions about,
                const interruption& interrupted) {
  const auto plan = chain_plan_of(given);
  if (!plan)
    return give_up(plan.error());
  const auto folder = folder_of(given, "chain-" + plan->file_system);
  if (!folder)
    return give_up(folder.error());
  const auto results =
    run_chains(*plan, std::move(about), *folder, interrupted);
  if (!results)
    return give_up(results.error());
  for (const auto diff : plan->diffs)
    std::cout << "\n"
              << diff << " MiB\n"
              << plain_text(chain_table(*results, chain_part::rounds, diff));
  if (plan->long_branches > 0)
    std::cout << "\nlong chains\n"
              << plain_text(chain_table(*results, chain_part::long_chain,
                                        plan->diffs.front()));
  return tell_targets(chain_targets(*results), *folder);
}

int bench_pauses(const config::invocation& given, conditions about,
                 const interruption& interrupted) {
  const auto plan = pause_plan_of(given);
  if (!plan)
    return give_up(plan.error());
  const auto folder = folder_of(given, plan->name);
  if (!folder)
    return give_up(folder.error());
  const auto results =
    run_pauses(*plan, std::move(about), *folder, interrupted);
  if (!results)
    return give_up(results.error());
  for (const auto memory : plan->memories)
    for (const auto rate : plan->rates)
      std::cout << "\n"
                << memory << " MiB, " << rate << " MiB/s\n"
                << plain_text(pause_table(*results, memory, rate));
  if (plan->name == "pause")
    return tell_targets(pause_targets(*results), *folder);
  std::cout << "\n" << folder->path() << "/README.md\n";
  return 0;
}

int bench_forks(const config::invocation& given, conditions about,
                const interruption& interrupted) {
  const auto plan = fork_plan_of(given);
  if (!plan)
    return give_up(plan.error());
  const auto folder = folder_of(given, "fork");
  if (!folder)
    return give_up(folder.error());
  const auto results = run_forks(*plan, std::move(about), *folder, interrupted);
  if (!results)
    return give_up(results.error());
  std::cout << "\n" << plain_text(fork_table(*results));
  if (!results->readings.empty())
    std::cout << "\n" << plain_text(census_table(*results));
  return tell_targets(fork_targets(*results), *folder);
}

int bench_soak(const config::invocation& given, conditions about,
               const interruption& interrupted) {
  const auto plan = soak_plan_of(given);
  if (!plan)
    return give_up(plan.error());
  const auto folder = folder_of(given, "soak");
  if (!folder)
    return give_up(folder.error());
  const auto results = run_soak(*plan, std::move(about), *folder, interrupted);
  if (!results)
    return give_up(results.error());
  std::cout << "\n" << plain_text(soak_table(*results));
  return tell_targets(soak_targets(*results), *folder);
}

} // namespace

int main(int argc, char** argv) {
  raise_descriptor_limit();
  const auto given =
    config::parse(config::bench_command_line(), {argv + 1, argv + argc});
  if (!given)
    return config::print(given.error());
  const interruption interrupted;
  auto about = observe(command_text(argc, argv));
  if (given->verb->path == "chain")
    return bench_chain(*given, std::move(about), interrupted);
  if (given->verb->path == "fork")
    return bench_forks(*given, std::move(about), interrupted);
  if (given->verb->path == "soak")
    return bench_soak(*given, std::move(about), interrupted);
  return bench_pauses(*given, std::move(about), interrupted);
}
