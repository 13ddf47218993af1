// Stands in for a program that compiles a graph: it has the same command line and writes the same three files, with a
// function in C instead of a graph's.
#include <lathe/graph/dtype.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>

namespace {

void write(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

void generate(const std::string& name, const std::string& folder, const std::string& targets) {
  const std::string path = folder + "/" + name;
  const std::string run_declaration = "int " + name + "_run(int x)";
  const std::string targets_declaration = "const char* " + name + "_targets(void)";
  write(path + ".h", "#ifdef __cplusplus\nextern \"C\" {\n#endif\n" + run_declaration + ";\n" + targets_declaration +
                         ";\n#ifdef __cplusplus\n}\n#endif\n");
  // The factor is asked of Lathe, so that this program does not start without its library.
  const std::string factor = std::to_string(lathe::size_of(lathe::f64) / lathe::size_of(lathe::f32));
  write(path + ".c", run_declaration + " { return x * " + factor + "; }\n" + targets_declaration + " { return \"" +
                         targets + "\"; }\n");
  run("cc -c -fPIC '" + path + ".c' -o '" + path + ".o'");
  run("rm -f '" + path + ".a' && ar rc '" + path + ".a' '" + path + ".o'");
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  if (argc != 7 || options.size() != 3) {
    std::cerr << "usage: generator --name NAME --output FOLDER --target CPU,CPU...\n";
    return 2;
  }
  generate(options.at("--name"), options.at("--output"), options.at("--target"));
}
