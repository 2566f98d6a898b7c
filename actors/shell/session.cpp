// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/session.hpp"

#include <fstream>
#include <iterator>

#include "actors/shell/advice.hpp"

namespace forkfleet::shell {

output_format format_of(const config::invocation& given) {
  const auto name = given.text("output");
  for (const auto& entry : enum_table(output_format{}))
    if (entry.name == name)
      return entry.value;
  return output_format::table;
}

bool is_json(output_format x) {
  return x == output_format::json || x == output_format::jsonl;
}

void print_json(session& io, output_format x, const schema::json& value) {
  io.out << schema::dump(value, x == output_format::jsonl ? -1 : 2) << '\n';
}

schema::json error_json(const failure& what, std::string_view remedy) {
  auto body = schema::to_json(what);
  body["remedy"] = std::string{remedy.empty() ? advice(what.code) : remedy};
  return schema::json{{"error", std::move(body)}};
}

exit_code tell(session& io, const config::invocation& given,
               const failure& what, std::string_view remedy) {
  if (const auto format = format_of(given); is_json(format)) {
    print_json(io, format, error_json(what, remedy));
  } else {
    io.err << paint("forkfleet: " + printable(to_string(what)), tone::bad,
                    io.messages)
           << '\n';
    note(io, "  " + std::string{remedy.empty() ? advice(what.code) : remedy});
  }
  return exit_code_of(what.code);
}

void note(session& io, std::string_view text) {
  io.err << printable(text) << '\n';
}

exit_code tell_problems(session& io, const config::invocation& given,
                        const std::string& path,
                        const std::vector<config::problem>& problems) {
  if (const auto format = format_of(given); is_json(format)) {
    auto list = schema::json::array();
    for (const auto& x : problems)
      list.push_back({{"file", x.file},
                      {"line", x.line},
                      {"column", x.column},
                      {"path", x.path},
                      {"message", x.message},
                      {"hint", x.hint}});
    print_json(io, format, schema::json{{"problems", std::move(list)}});
    return exit_code::configuration;
  }
  std::ifstream file{path, std::ios::binary};
  const std::string source{std::istreambuf_iterator<char>{file}, {}};
  for (const auto& x : problems)
    io.err << config::to_string(x, source) << '\n';
  note(io, path + ": "
             + (problems.size() == 1
                  ? "1 problem"
                  : std::to_string(problems.size()) + " problems"));
  return exit_code::configuration;
}

} // namespace forkfleet::shell
