// Lets a test call functions of this process: a request a line on stdin, its answer a line on stdout.
import { createInterface } from "node:readline";

export async function answerRequests(operations, refusalOf) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { operation, ...given } = JSON.parse(line);
    let answer;
    try {
      answer = { result: await operations[operation](given) };
    } catch (error) {
      answer = { refusal: { error: null, ...(await refusalOf(error)), message: `${error.name}: ${error.message}` } };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
