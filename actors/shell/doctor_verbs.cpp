// SPDX-License-Identifier: Apache-2.0
// doctor: what the hosts can do for their VMs, what they cannot, and what
// helps. Without a fleet that answers, this machine is examined.
#include <array>
#include <cerrno>
#include <poll.h>
#include <sstream>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/shell/child_process.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/doctor_text.hpp"
#include "actors/shell/machine.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

constexpr const char* doctor_program = "forkfleet-doctor";
constexpr milliseconds examination_limit{30'000};
constexpr std::size_t report_bytes_max = 256 * 1024;

exit_code print_reports(session& io, const config::invocation& given,
                        const std::vector<doctor_report>& reports) {
  const auto format = format_of(given);
  if (format == output_format::json) {
    auto all = schema::json::array();
    for (const auto& x : reports)
      all.push_back(schema::to_json(x));
    print_json(io, format, all);
  } else if (format == output_format::jsonl) {
    for (const auto& x : reports)
      print_json(io, format, schema::to_json(x));
  } else if (format == output_format::name) {
    for (const auto& x : reports)
      for (const auto& check : x.checks)
        if (check.state != check_state::ok)
          io.out << printable(check.name) << '\n';
  } else {
    io.out << doctor_text(reports, io.screen);
  }
  return doctor_exit_code(reports);
}

std::string read_from_begin(int file) {
  auto text = std::string{};
  auto room = std::array<char, 4096>{};
  ssize_t got = 0;
  while (text.size() < report_bytes_max
         && (got = ::pread(file, room.data(), room.size(),
                           static_cast<off_t>(text.size())))
              > 0)
    text.append(room.data(), static_cast<std::size_t>(got));
  return text;
}

/// What the program prints that examines this machine.
expected<std::string> run_program(const std::vector<std::string>& words,
                                  milliseconds limit) {
  const auto output = unique_fd{::memfd_create(doctor_program, MFD_CLOEXEC)};
  if (!output)
    return tl::unexpected(errno_failure(errno, "a file in memory"));
  auto run = child_process::start(
    {.name = doctor_program,
     .arguments = words,
     .log = fmt::format("/proc/self/fd/{}", output.get())});
  if (!run)
    return tl::unexpected(run.error());
  auto entry = pollfd{.fd = run->handle(), .events = POLLIN, .revents = 0};
  if (::poll(&entry, 1, static_cast<int>(limit.count())) <= 0)
    return fail(ec::deadline_exceeded,
                words.front() + " is not done; give more time by --deadline");
  return read_from_begin(output.get());
}

doctor_report examine(session& io, const std::vector<std::string>& options,
                      const host_name& host, milliseconds limit) {
  const auto failed = [&host](const failure& why) {
    return doctor_report{.host = host, .outcome = why};
  };
  const auto path = find_program(doctor_program, io.env);
  if (!path)
    return failed(path.error());
  auto words = std::vector<std::string>{*path};
  words.insert(words.end(), options.begin(), options.end());
  const auto text = run_program(words, limit);
  if (!text)
    return failed(text.error());
  const auto value = schema::parse_json(*text);
  const auto report =
    value ? schema::from_json<doctor_report>(*value)
          : expected<doctor_report>{tl::unexpected<failure>(value.error())};
  if (!report)
    return failed({ec::io_failed, *path + ": " + report.error().message});
  auto result = *report;
  result.host = host;
  return result;
}

/// This machine: as each host of the fleet file that it is, or as it is.
std::vector<doctor_report>
examine_here(session& io, const std::optional<config::fleet_file>& file,
             milliseconds limit) {
  auto result = std::vector<doctor_report>{};
  const auto here = this_machine();
  for (const auto& host : file.value_or(config::fleet_file{}).hosts) {
    if (!is_here(host.address, here))
      continue;
    auto options =
      std::vector<std::string>{"--data", host.data, "--users", host.vm_uids};
    if (!host.cgroup.empty())
      options.insert(options.end(), {"--cgroup", host.cgroup});
    result.push_back(examine(io, options, host.name, limit));
  }
  if (result.empty())
    result.push_back(examine(io, {}, {}, limit));
  return result;
}

/// A fleet that somebody named and that does not answer is told of.
bool is_named(const config::invocation& given) {
  return !given.text("fleet").empty() || given.address("coordinator")
         || !given.texts("host").empty();
}

std::vector<doctor_report> ask_hosts(reached_fleet& reached,
                                     const config::invocation& given,
                                     const std::vector<node_info>& nodes,
                                     milliseconds limit) {
  auto hosts = std::vector<host_name>{};
  for (const auto& name : given.texts("host"))
    hosts.push_back({name});
  if (hosts.empty())
    for (const auto& x : nodes)
      hosts.push_back(x.host);
  auto result = std::vector<doctor_report>{};
  for (const auto& host : hosts) {
    const auto report =
      reached.fleet.ask<doctor_report>(doctor_request{.host = host}, limit);
    result.push_back(
      report ? *report
             : doctor_report{.host = host, .outcome = report.error()});
  }
  return result;
}

exit_code run_here(session& io, const config::invocation& given,
                   milliseconds limit) {
  auto nothing = std::ostringstream{};
  auto quiet = session{nothing, nothing, {}, {}, io.env};
  const auto found = find_fleet(is_named(given) ? io : quiet, given);
  if (!found && is_named(given))
    return found.error();
  return print_reports(
    io, given,
    examine_here(io, found ? found->file : std::optional<config::fleet_file>{},
                 limit));
}

exit_code run_doctor(session& io, const config::invocation& given) {
  const auto limit = given.duration("deadline").value_or(examination_limit);
  if (given.has("here"))
    return run_here(io, given, limit);
  auto nothing = std::ostringstream{};
  auto quiet = session{nothing, nothing, {}, {}, io.env};
  auto reached = reach_fleet(is_named(given) ? io : quiet, given);
  if (!reached && is_named(given))
    return reached.error();
  if (!reached) {
    note(io, "no fleet answers: this machine is examined");
    return run_here(io, given, limit);
  }
  const auto nodes = all_nodes(reached->fleet, timeout_of(given));
  if (!nodes)
    return tell(io, given, nodes.error());
  return print_reports(io, given, ask_hosts(*reached, given, *nodes, limit));
}

std::vector<config::option> doctor_options() {
  using enum config::value_kind;
  return {
    {.name = "host",
     .kind = text,
     .placeholder = "HOST",
     .doc = "Examine this host; may be given again. Else all.",
     .repeatable = true},
    {.name = "here",
     .doc = "Examine this machine, whether a fleet answers or not."},
    {.name = "deadline",
     .kind = duration,
     .doc = "For each host.",
     .initial = "30s",
     .min = 100,
     .max = 600'000},
  };
}

} // namespace

std::vector<verb> doctor_verbs() {
  return {
    {.entry = {.path = "doctor",
               .summary = "Tell what the hosts can do, and how to mend the "
                          "rest.",
               .options = doctor_options(),
               .examples = {"forkfleet doctor", "forkfleet doctor --here",
                            "forkfleet doctor --host h1 -o json"},
               .details =
                 "KVM, QEMU, which capture method branches get and why, what "
                 "VMs are confined by, cgroups, the packet filter, network "
                 "namespaces, the data directory's file system, limits and "
                 "the clock: each is tried, not guessed, and what is not well "
                 "comes with its remedy. Ends with 10 when something is bad, "
                 "and with 1 when a host did not tell. Where no fleet "
                 "answers, this machine is examined with the rights of who "
                 "asks: a node that runs as root may find more."},
     .run = run_doctor},
  };
}

} // namespace forkfleet::shell
