// Does the same as client.py, with Go's net/http.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func send(client *http.Client, method, url string, headers map[string]string, body []byte) (int, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

func main() {
	times, _ := strconv.Atoi(os.Args[1])
	client := &http.Client{Timeout: 30 * time.Second}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		part := strings.Split(lines.Text(), "\t")
		var headers map[string]string
		if err := json.Unmarshal([]byte(part[3]), &headers); err != nil {
			panic(err)
		}
		size, _ := strconv.Atoi(part[4])
		wanted, _ := strconv.Atoi(part[5])
		body := bytes.Repeat([]byte(" "), size)
		received, lost := 0, ""
		for i := 0; i < times; i++ {
			status, err := send(client, part[1], part[2], headers, body)
			if err != nil {
				lost = err.Error()[strings.LastIndex(err.Error(), ": ")+2:]
			} else if status == wanted {
				received++
			}
		}
		fmt.Printf("%s\t%d\t%s\n", part[0], received, lost)
	}
}
