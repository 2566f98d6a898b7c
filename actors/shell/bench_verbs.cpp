// SPDX-License-Identifier: Apache-2.0
// bench chain, pause, floor, soak, fork: becomes the program that measures.
#include <cerrno>
#include <unistd.h>

#include "actors/shell/machine.hpp"
#include "actors/shell/verb.hpp"
#include "config/bench_options.hpp"

namespace forkfleet::shell {
namespace {

constexpr const char* bench_program = "forkfleet-bench";

exit_code run_bench(session& io, const config::invocation& given) {
  const auto path = find_program(bench_program, io.env);
  if (!path)
    return tell(io, given, path.error());
  const auto& verb = given.verb->path;
  auto words = config::words_of(given, verb.substr(verb.find(' ') + 1));
  words.insert(words.begin(), bench_program);
  std::vector<char*> pointers;
  for (auto& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  io.out.flush();
  execv(path->c_str(), pointers.data());
  return tell(io, given, errno_failure(errno, "run " + *path));
}

} // namespace

std::vector<verb> bench_verbs() {
  std::vector<verb> result;
  for (auto entry : config::bench_command_line().verbs) {
    entry.path = "bench " + entry.path;
    result.push_back({.entry = std::move(entry), .run = run_bench});
  }
  return result;
}

} // namespace forkfleet::shell
