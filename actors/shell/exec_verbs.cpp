// SPDX-License-Identifier: Apache-2.0
// exec: runs a program in a guest, as if it ran here.
#include <unistd.h>

#include <fmt/format.h>

#include "actors/base64.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/guest_line.hpp"
#include "actors/shell/standing_io.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds exec_limit_default{3'600'000};
constexpr milliseconds prepare_limit{20'000};
constexpr std::size_t input_bytes_max = 16u << 20;
constexpr std::size_t input_piece_bytes = 64 * 1024;
/// What -o json gathers of each output.
constexpr std::size_t gathered_bytes_max = 16u << 20;

/// All that is on our stdin.
expected<std::string> read_input() {
  auto text = std::string{};
  for (;;) {
    const auto piece = read_standing(STDIN_FILENO, input_piece_bytes, "stdin");
    if (!piece)
      return piece;
    if (piece->empty())
      return text;
    text.append(*piece);
    if (text.size() > input_bytes_max)
      return fail(ec::invalid_request,
                  fmt::format("stdin is longer than {} MiB; copy it into the "
                              "guest instead: forkfleet cp",
                              input_bytes_max >> 20));
  }
}

/// Gives the guest what its program is to read.
status send_input(guest_line& guest, const operation_id& operation) {
  const auto text = read_input();
  if (!text)
    return tl::unexpected{text.error()};
  const auto path = "/run/forkfleet/exec/" + operation.value + ".in";
  const auto made =
    guest.run_script("umask 077; : >\"$1\"", {path}, prepare_limit);
  if (!made)
    return tl::unexpected{made.error()};
  if (made->status != 0)
    return fail(ec::vmm_refused,
                "the guest does not take the input: " + made->errors);
  auto written = write_file(guest, path, *text);
  if (!written) {
    guest.tidy_up();
    static_cast<void>(
      guest.run_script("rm -f \"$1\"", {path}, prepare_limit).has_value());
  }
  return written;
}

/// Where the outputs go, by the format.
class program_printer {
public:
  program_printer(session& io, output_format format)
    : io_{io}, format_{format} {}

  program_sinks sinks() {
    return {[this](std::string_view x) {
              return take(x, io_.out, output_, "output");
            },
            [this](std::string_view x) {
              return take(x, io_.err, errors_, "errors");
            }};
  }

  /// Whether more was printed than `-o json` gathers.
  bool is_too_long() const { return is_too_long_; }

  void finish(const operation_id& operation, const program_end& end) {
    if (!is_json(format_))
      return;
    schema::json value = {{"operation", operation.value},
                          {"status", end.status},
                          {"was_late", end.was_late},
                          {"was_stopped", end.was_stopped},
                          {"is_complete", !end.is_still_printing}};
    if (format_ == output_format::json) {
      add(value, "output", output_);
      add(value, "errors", errors_);
    }
    print_json(io_, format_, value);
  }

private:
  /// As text where it is text; else as base64, under another name.
  static void add(schema::json& value, const std::string& name,
                  const std::string& bytes) {
    const auto again = schema::parse_json(schema::dump(schema::json(bytes)));
    if (again && *again == schema::json(bytes))
      value[name] = bytes;
    else
      value[name + "_base64"] = to_base64(bytes);
  }

  bool take(std::string_view x, std::ostream& where, std::string& gathered,
            const char* name) {
    if (format_ == output_format::jsonl) {
      print_json(io_, format_, {{name, to_base64(x)}});
      io_.out.flush();
      return io_.out.good();
    }
    if (format_ == output_format::json) {
      is_too_long_ = gathered.size() + x.size() > gathered_bytes_max;
      if (!is_too_long_)
        gathered.append(x);
      return !is_too_long_;
    }
    where.write(x.data(), static_cast<std::streamsize>(x.size()));
    where.flush();
    return where.good();
  }

  session& io_;
  output_format format_;
  std::string output_ = {};
  std::string errors_ = {};
  bool is_too_long_ = false;
};

/// Our own failures: told, and with a code of their own where that is wished.
exit_code own_failure(const config::invocation& given, exit_code code) {
  const auto wished = given.number("failure-code");
  return wished && code <= exit_code::findings ? static_cast<exit_code>(*wished)
                                               : code;
}

exec_request request_of(const config::invocation& given) {
  return {.operation = new_operation_id(),
          .arguments = given.rest(),
          .environment = given.texts("env"),
          .directory = given.text("cwd"),
          .has_input = given.has("stdin"),
          .limit = given.duration("timeout").value_or(exec_limit_default)};
}

/// An answer that is missing is mostly the guest's.
std::string_view exec_remedy(const failure& why) {
  return group_of(why.code) == ec_group::unknown
           ? "see whether its agent answers: forkfleet wait SANDBOX --for ready"
           : std::string_view{};
}

/// The program's own exit code; the error is ours, and has been told.
using exec_result = tl::expected<exit_code, exit_code>;

exec_result conclude(session& io, const config::invocation& given,
                     const exec_request& request, const program_end& end) {
  if (end.is_still_printing)
    note(io, "the program left something behind that may print on");
  if (!end.was_late)
    return static_cast<exit_code>(end.status);
  if (is_json(format_of(given)))
    return tl::unexpected{exit_code::unreachable};
  return tl::unexpected{
    tell(io, given,
         {ec::deadline_exceeded,
          fmt::format("the program did not end within its --timeout of {} ms "
                      "and was killed",
                      request.limit.count())},
         "allow it more: --timeout 2h")};
}

exec_result run_in(session& io, const config::invocation& given,
                   guest_line& guest) {
  const auto refuse = [&](const failure& why) {
    // What cannot be written any more is no news to who interrupted us.
    const auto code = guest.end_code();
    return tl::unexpected{
      code != exit_code::done ? code : tell(io, given, why, exec_remedy(why))};
  };
  const auto request = request_of(given);
  if (request.has_input)
    if (auto sent = send_input(guest, request.operation); !sent)
      return refuse(sent.error());
  program_printer printer{io, format_of(given)};
  const auto end = guest.run(request, printer.sinks());
  if (printer.is_too_long())
    return refuse({ec::invalid_request,
                   fmt::format("the program printed more than {} MiB; take it "
                               "with -o jsonl, or without JSON",
                               gathered_bytes_max >> 20)});
  if (!end)
    return refuse(end.error());
  printer.finish(request.operation, *end);
  if (end->was_stopped)
    return tl::unexpected{guest.end_code()};
  return conclude(io, given, request, *end);
}

exit_code run_exec(session& io, const config::invocation& given) {
  if (given.rest().empty())
    return own_failure(given,
                       wrong_use(io, given, "name the program after '--'"));
  guest_line guest;
  auto reached = guest.aside([&] { return reach_fleet(io, given); });
  if (!reached)
    return own_failure(given, reached.error());
  guest.reach(reached->fleet, {given.positional("SANDBOX")});
  const auto result = run_in(io, given, guest);
  return result ? *result : own_failure(given, result.error());
}

std::vector<config::option> exec_options() {
  using enum config::value_kind;
  return {
    {.name = "env",
     .kind = text,
     .placeholder = "NAME=VALUE",
     .doc = "A variable of the program's environment, over the sandbox' own.",
     .repeatable = true},
    {.name = "cwd",
     .kind = text,
     .placeholder = "DIR",
     .doc = "The directory that it runs in."},
    {.name = "stdin",
     .letter = 'i',
     .doc = "Let it read our stdin, which is read to its end first; at most "
            "16 MiB."},
    {.name = "timeout",
     .kind = duration,
     .doc = "When the guest kills it, however long it takes: its own clock "
            "counts, and nobody here needs to wait.",
     .initial = "1h",
     .min = 100,
     .max = static_cast<uint64_t>(exec_limit_max.count())},
    {.name = "failure-code",
     .kind = number,
     .placeholder = "N",
     .doc = "End with this when the failure is ours and not the program's: a "
            "number that the program never ends with, such as 125.",
     .min = 1,
     .max = 255},
  };
}

} // namespace

std::vector<verb> exec_verbs() {
  return {
    {.entry =
       {.path = "exec",
        .summary = "Run a program in a sandbox' guest.",
        .options = exec_options(),
        .positionals = {{.name = "SANDBOX", .doc = "Which one."}},
        .examples = {"forkfleet exec child-1 -- uname -a",
                     "forkfleet exec child-1 --cwd /root --env SEED=7 -- "
                     "python3 task.py",
                     "echo 6*7 | forkfleet exec child-1 -i -- bc",
                     "forkfleet exec child-1 --timeout 30s --failure-code 125 "
                     "-- make test"},
        .details =
          "Needs a guest with an agent. What the program prints comes here "
          "while it runs, whole and in order; when nobody reads it, the "
          "program waits after 4 MiB, as it would for a pipe. Ends with the "
          "program's exit code, 128 and the signal's number when a signal "
          "killed it, 126 or 127 when it cannot be run. Our own failures end "
          "with the codes below, or --failure-code, and a line that begins "
          "with 'forkfleet:': 1 for a guest without an agent, 7 for an agent "
          "that does not answer and for --timeout. Ctrl-C, SIGTERM and "
          "SIGHUP kill the program and all of its process group, and we end "
          "with 128 and the signal's number, within 10 s if the guest does "
          "not answer. -o json gathers both outputs and "
          "prints one object; -o jsonl prints pieces in base64 as they come.",
        .keeps_rest = true},
     .run = run_exec}};
}

} // namespace forkfleet::shell
